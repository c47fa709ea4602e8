"""Restoring a part: the archive is read whole and checked in a scratch store, and what is asked for comes from there.

The living store keeps all else. What comes in has new keys, and is found again by its own ids; all of it is one
transaction, which also compares what was written.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from backups_app.archive import Archive
from backups_app.models import Backup, Restore
from backups_app.services.backups.databases import as_default, database_of_alias
from backups_app.services.backups.parts.bringing import Bringing
from backups_app.services.backups.parts.choice import Choice, OnConflict
from backups_app.services.backups.parts.meeting import part_meet
from backups_app.services.backups.parts.sealing import seals_check
from backups_app.services.backups.parts.selecting import part_select
from backups_app.services.backups.parts.telling import lost_told, new_ids_told, outcomes_told, part_tell, rows_told
from backups_app.services.backups.progress import Check, Progress, unwatched
from backups_app.services.backups.restore import (
    OWN_ALIAS,
    SWAPPING_IN,
    archive_opened,
    archive_told,
    clock_from,
    refusals_told,
    restore_conclude,
)
from backups_app.services.backups.runs import lease_kept, restore_begin, restore_end, restore_fail
from backups_app.services.backups.schema_states import schema_state
from backups_app.services.backups.scratch import scratch_folder
from backups_app.services.backups.scratch_store import scratch_fill
from backups_app.services.backups.snapshots import snapshot_of_file
from backups_app.services.backups.watched import Watch, watched
from config.shared.callers import Caller

PART_OF_STORE = "a part of this store"


@dataclass
class _Work:
    """One restore of a part on its way."""

    restore: Restore
    choice: Choice
    dry_run: bool
    caller: Caller
    clock: Callable[[], datetime]
    told_in_store: bool
    report: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        return sum(self.report.get("tables", {}).values())


def backup_restore_part(
    *,
    source: Backup | Path,
    choice: Choice,
    dry_run: bool = False,
    requested_by: str,
    caller: Caller,
    now: datetime,
    check: Check = unwatched,
    told_in_store: bool = False,
) -> Restore:
    """Bring a part of an archive into this store, or with `dry_run` only find out what that would do.

    Returns the row that tells of it; its report says what became of each thing, which rows came, and which gave way.
    `check` and `told_in_store` are as in backup_restore.
    Either all of it comes or nothing. The cause of a failure is kept with the row, and raised: InvalidInput names the
    place in the request of what the archive does not hold, ArchiveRefused the file of an archive that is not as it was
    made; Conflict where secrets cannot be opened or the store refuses a row, and AtWork while a backup or another
    restore is at work; Unavailable where a database or a disk is away. Called outside of any transaction.
    """
    restore = restore_begin(
        backup_name=source.name if isinstance(source, Backup) else str(source),
        target=PART_OF_STORE,
        replace=choice.on_conflict is OnConflict.REPLACE,
        requested_by=requested_by,
        now=now,
    )
    work = _Work(restore, choice, dry_run, caller, clock_from(now), told_in_store, {"part": choice.told()})
    try:
        with lease_kept(restore), refusals_told():
            archive = archive_opened(source)
            watched(lambda watch: _restored(work, archive, watch), check)
    except BaseException as error:
        restore_fail(restore=restore, error=error, now=work.clock(), report={"part": choice.told()})
        raise
    if dry_run:
        status = Restore.Status.DRY_RUN
        restore_end(restore=restore, status=status, now=work.clock(), row_count=work.rows, report=work.report)
    restore.refresh_from_db()
    return restore


def _restored(work: _Work, archive: Archive, watch: Watch) -> None:
    """Do it all, in a thread whose `default` is a connection of its own to this store."""
    state = schema_state(archive.manifest)
    with scratch_folder() as folder, as_default(database_of_alias(OWN_ALIAS)) as connection:
        path = folder / "store.sqlite3"
        progress = Progress(watch, archive.manifest.rows)
        scratch = scratch_fill(archive, state, path, progress)
        work.report |= {
            "archive": archive_told(archive),
            "brought_up_by": [f"{app}.{name}" for app, name in state.missing],
            "checks": {"signature": "good", "references": "good", "findings": scratch.findings},
        }
        with closing(sqlite3.connect(path, isolation_level=None)) as raw:
            raw.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF")
            part_select(raw, work.choice)
            if work.dry_run:
                _look(work, raw)
            else:
                if work.told_in_store and connection.vendor == "sqlite":
                    progress.tell(SWAPPING_IN)
                    watch.fall_silent()
                _bring(work, raw, path, connection, watch)


def _look(work: _Work, raw: sqlite3.Connection) -> None:
    """Find out what becomes of everything."""
    part_meet(raw, work.choice, number=work.restore.pk)
    seals_check(raw)
    work.report |= {
        "outcomes": outcomes_told(raw),
        "new_ids": new_ids_told(raw),
        "lost": lost_told(raw),
        "tables": rows_told(raw),
    }


@transaction.atomic(durable=True)
def _bring(work: _Work, raw: sqlite3.Connection, path: Path, connection: BaseDatabaseWrapper, watch: Watch) -> None:
    """Find it out and do it, and say so, in one transaction."""
    _look(work, raw)
    progress = Progress(watch, sum(work.report["tables"].values()))
    with snapshot_of_file(path) as held:
        bringing = Bringing(raw, held, work.choice, connection, work.caller, work.clock(), progress.add)
        bringing.run()
    work.report |= {"outcomes": outcomes_told(raw), "tables": bringing.tables}
    work.report["checks"]["checksums"] = "good"
    work.report["seconds"] = {"in_all": round(time.monotonic() - work.began, 1)}
    now = work.clock()
    part_tell(raw, restore=work.restore, choice=work.choice, rows=work.rows, caller=work.caller, now=now)
    restore_conclude(work.restore, connection, now=now, rows=work.rows, report=work.report)
