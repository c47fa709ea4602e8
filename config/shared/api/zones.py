"""The query parameter `tz`: by which clock days and months begin."""

from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from config.shared.api.filters import TextFilter
from config.shared.errors import InvalidInput

_LABEL = "Time zone of days and months (IANA name); default UTC."
TZ = OpenApiParameter("tz", OpenApiTypes.STR, description=_LABEL)


def zone_of(request: Any) -> tzinfo:
    """Return the zone that `tz` names. Raises InvalidInput."""
    name = request.query_params.get("tz", "UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput.at("/tz", _("There is no time zone %r.") % name[:60]) from error


class ZoneFilter(TextFilter):
    """Makes `tz` known where the other parameters are filters; it leaves no row out."""

    def __init__(self) -> None:
        super().__init__(label=_LABEL)

    def filter(self, qs: Any, value: str) -> Any:
        return qs
