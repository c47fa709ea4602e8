"""Named snapshots of all settings of a project, and the way back to one."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput
from sessions_app.models import ConfigSnapshot, ConfigSnapshotEntry, ConfigVersion, SystemConfig
from sessions_app.services.audit import ACTOR_LENGTH, audit_record
from sessions_app.services.configs import config_delete, config_put_back
from sessions_app.services.drafts import max_length

ROWS_PER_STATEMENT = 500


@dataclass(slots=True)
class Restored:
    """What a restore did, or would do: the keys that are set to another value, and those that are removed."""

    set: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"set": self.set, "removed": self.removed, "unchanged": self.unchanged}


def config_snapshot_create(
    *, project_id: int, name: str, description: str = "", now: datetime, caller: Caller
) -> ConfigSnapshot:
    """Give the settings as they are now a name. Raises InvalidInput, Conflict when the name is taken.

    The settings are read in one statement, so that the snapshot is of one moment.
    """
    limit = max_length(ConfigSnapshot, "name")
    if not 0 < len(name) <= limit:
        raise InvalidInput.at("/name", f"A name has 1 to {limit} characters.")
    try:
        with transaction.atomic():
            snapshot = ConfigSnapshot.objects.create(
                project_id=project_id,
                name=name,
                description=description,
                created_at=now,
                actor=caller.name[:ACTOR_LENGTH],
            )
            entries = [ConfigSnapshotEntry(snapshot=snapshot, config_version=each) for each in _current(project_id)]
            ConfigSnapshotEntry.objects.bulk_create(entries, batch_size=ROWS_PER_STATEMENT)
            _audit(snapshot, "config_snapshot.create", {"settings": len(entries)}, caller, now)
    except IntegrityError as error:
        raise Conflict("There is a snapshot of this name already.") from error
    return snapshot


def _current(project_id: int) -> list[ConfigVersion]:
    there = SystemConfig.objects.filter(project_id=project_id, key=OuterRef("key"), version=OuterRef("version"))
    return list(ConfigVersion.objects.filter(Exists(there), project_id=project_id).order_by("key"))


@transaction.atomic
def config_snapshot_restore(
    *, snapshot: ConfigSnapshot, now: datetime, caller: Caller, dry_run: bool = False
) -> Restored:
    """Make the settings what they were, in one transaction: what came later is removed, and stays in the history.

    With `dry_run` nothing is changed. Raises DecryptionFailed when a secret cannot be read, and then changes nothing.
    """
    stored = {row.key: row for row in _locked(snapshot.project_id)}
    wanted = {row.config_version.key: row.config_version for row in _entries(snapshot)}
    done = Restored()
    for key, former in sorted(wanted.items()):
        if key in stored and _is_same(stored[key], former):
            done.unchanged += 1
            continue
        done.set.append(key)
        if not dry_run:
            config_put_back(former=former, now=now, caller=caller)
    for key in sorted(stored.keys() - wanted.keys()):
        done.removed.append(key)
        if not dry_run:
            config_delete(config=stored[key], now=now, caller=caller)
    if not dry_run:
        _audit(snapshot, "config_snapshot.restore", done.told(), caller, now)
    return done


def _locked(project_id: int) -> list[SystemConfig]:
    return list(SystemConfig.objects.select_for_update().filter(project_id=project_id).order_by("key"))


def _entries(snapshot: ConfigSnapshot) -> list[ConfigSnapshotEntry]:
    return list(snapshot.entries.select_related("config_version"))


def _is_same(stored: SystemConfig, former: ConfigVersion) -> bool:
    names = ("value", "value_type", "section", "description")
    if any(getattr(stored, name) != getattr(former, name) for name in names):
        return False
    return stored.sealed_secrets == former.sealed_secrets or stored.unseal() == former.unseal()


@transaction.atomic
def config_snapshot_delete(*, snapshot: ConfigSnapshot, now: datetime, caller: Caller) -> None:
    """Forget a snapshot; the history of the settings stays."""
    _audit(snapshot, "config_snapshot.delete", {}, caller, now)
    snapshot.delete()


def _audit(snapshot: ConfigSnapshot, action: str, changes: dict[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=snapshot.project_id,
        caller=caller,
        action=action,
        target_type="config_snapshot",
        target_id=snapshot.name,
        changes=changes,
        now=now,
    )
