"""What the person who runs an import may choose, as a run keeps it and takes it up again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backups_app.services.legacy_import.conflicts import OnConflict
from config.shared.errors import InvalidInput
from sessions_app.models import Session


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`zone` is that of times without one; `statuses` maps words for a status to ours; `on_conflict` see conflicts."""

    zone: tzinfo = UTC
    statuses: Mapping[str, str] = field(default_factory=dict)
    on_conflict: OnConflict = OnConflict.KEEP

    def check(self) -> None:
        """Raise InvalidInput for a status that is none."""
        for word, status in self.statuses.items():
            if status not in Session.Status.values:
                known = ", ".join(Session.Status.values)
                detail = _("%(word)s cannot become %(status)s. There are: %(known)s.")
                raise InvalidInput.at("/map_status", detail % {"word": word, "status": status, "known": known})

    def told(self) -> dict[str, Any]:
        """The options as a run keeps them."""
        return {
            "timezone": str(self.zone),
            "map_status": dict(self.statuses),
            "on_conflict": self.on_conflict.value,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "ImportOptions":
        """The options of a run."""
        return cls(ZoneInfo(told["timezone"]), told["map_status"], OnConflict(told["on_conflict"]))
