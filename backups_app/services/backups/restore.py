"""Restoring: an archive is read whole and checked in a scratch store, and then becomes the store in one transaction."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import DatabaseError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from backups_app.archive import Archive, ArchiveRefused, archive_open
from backups_app.models import Backup, Restore
from backups_app.services.backups import keys
from backups_app.services.backups.databases import (
    as_default,
    database_of_alias,
    database_of_url,
    schema_ensure,
    url_shown,
)
from backups_app.services.backups.loading import Loaded, contents_there, refuse_contents, store_load
from backups_app.services.backups.progress import Check, Progress, unwatched
from backups_app.services.backups.runs import lease_kept, restore_begin, restore_end, restore_fail
from backups_app.services.backups.schema_states import SchemaState, schema_state
from backups_app.services.backups.scratch import scratch_folder
from backups_app.services.backups.scratch_store import Scratch, scratch_fill
from backups_app.services.backups.tables import EMPTIED, LEFT
from backups_app.services.backups.verify import archive_of
from backups_app.services.backups.watched import Watch, watched
from backups_app.services.leases import lease_end
from config.shared.callers import Caller
from config.shared.errors import Conflict, Unavailable
from sessions_app.models import Job
from sessions_app.services.api_keys import keys_forget
from sessions_app.services.projects import default_project_ensure
from sessions_app.services.staff_edits import row_audit

OWN_STORE, OWN_ALIAS = "this store", "default"
SWAPPING_IN = "swapping in: SQLite's file is locked until that is done"


@dataclass
class _Work:
    """One restore on its way: what is asked for, and what it found out so far."""

    restore: Restore
    replace: bool
    dry_run: bool
    caller: Caller
    clock: Callable[[], datetime]
    target: Callable[[], BaseDatabaseWrapper]
    into_own_store: bool
    told_in_store: bool
    report: dict[str, Any] = field(default_factory=dict)
    rows: int = 0


def backup_restore(
    *,
    source: Backup | Path,
    replace: bool = False,
    dry_run: bool = False,
    requested_by: str,
    caller: Caller,
    now: datetime,
    using: str = OWN_ALIAS,
    target_url: str = "",
    check: Check = unwatched,
    told_in_store: bool = False,
) -> Restore:
    """Make a store what an archive holds, and return the row that tells of it.

    `source` is a backup, or the folder of an archive from elsewhere. The target is the database `using`, or the one at
    `target_url` (as DATABASE_URL has them), of any kind; a database without tables gets them. It must be empty unless
    `replace` is said. With `dry_run` everything is read and checked, and nothing is written. `check(done, total,
    label)` is told how far it is, and may raise to stop it; with `told_in_store` it writes to this store, and is not
    called while SQLite's file is locked. Called outside of any transaction.

    The target is as the archive or as it was before, never in between. The cause of a failure is kept with the row, and
    raised: ArchiveRefused names the file of an archive that is not as it was made; Conflict where the target is not
    empty, has other tables, or a backup or another restore is at work; InvalidInput for an address that is none;
    Unavailable where a database or a disk is away.
    """
    shown = url_shown(target_url) if target_url else OWN_STORE if using == OWN_ALIAS else using
    name = source.name if isinstance(source, Backup) else str(source)
    work = _Work(
        restore=restore_begin(backup_name=name, target=shown, replace=replace, requested_by=requested_by, now=now),
        replace=replace,
        dry_run=dry_run,
        caller=caller,
        clock=clock_from(now),
        target=lambda: database_of_url(target_url) if target_url else database_of_alias(using),
        into_own_store=not target_url and using == OWN_ALIAS,
        told_in_store=told_in_store,
    )
    try:
        with lease_kept(work.restore), refusals_told():
            archive = archive_opened(source)
            watched(lambda watch: _restored(work, archive, watch), check)
    except BaseException as error:
        restore_fail(restore=work.restore, error=error, now=work.clock())
        raise
    return _ended(work)


def clock_from(now: datetime) -> Callable[[], datetime]:
    """Return a clock that goes on from `now`."""
    began = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - began)


def archive_opened(source: Backup | Path) -> Archive:
    """Open the archive: signature, names and files are checked, its rows not yet. Raises ArchiveRefused, Conflict."""
    if isinstance(source, Backup):
        if source.status in (Backup.Status.RUNNING, Backup.Status.FAILED):
            raise Conflict(f"The backup {source.name} is {source.get_status_display()}: there is nothing to restore.")
        archive = archive_of(source)
    else:
        archive = archive_open(source, trusted=keys.trusted_keys(), identities=keys.identities())
    if not archive.readable:
        raise ArchiveRefused(archive.manifest.name, "it is encrypted, and BACKUP_AGE_IDENTITY_FILE is not set")
    return archive


@contextmanager
def refusals_told() -> Iterator[None]:
    """Turn what databases and disks raise into errors of the house."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable(f"The database cannot be written: {error}", retry_after=60) from error
    except DatabaseError as error:
        raise Conflict(f"The database refuses the restore: {error}") from error
    except OSError as error:
        raise Unavailable(f"Archive or scratch copy: {error}", retry_after=60) from error


def _restored(work: _Work, archive: Archive, watch: Watch) -> None:
    """Do it all, in a thread whose `default` is the target."""
    started, state = time.monotonic(), schema_state(archive.manifest)
    # Rows are read, written and compared.
    progress = Progress(watch, archive.manifest.rows * (1 if work.dry_run else 3))
    with as_default(work.target()) as connection, scratch_folder() as folder:
        there = _looked_at(work, connection)
        scratch = scratch_fill(archive, state, folder / "store.sqlite3", progress)
        work.rows = scratch.rows
        work.report = _report(archive, state, scratch, time.monotonic() - started)
        if work.dry_run:
            work.report["there"] = there
            return
        if work.told_in_store and work.into_own_store and connection.vendor == "sqlite":
            progress.tell(SWAPPING_IN)
            watch.fall_silent()
        store_load(
            connection=connection,
            scratch=scratch,
            replace=work.replace,
            progress=progress,
            and_then=lambda loaded: _concluded(work, connection, loaded, time.monotonic() - started),
        )
    keys_forget()


def _looked_at(work: _Work, connection: BaseDatabaseWrapper) -> dict[str, int]:
    """Return what the target holds; what cannot be restored into is refused before the archive is read."""
    with connection.cursor() as cursor:
        is_bare = not connection.introspection.table_names(cursor)
    if is_bare and work.dry_run:
        return {}
    schema_ensure(connection)
    there = contents_there()
    if not work.replace and not work.dry_run:
        refuse_contents(there)
    return there


def archive_told(archive: Archive) -> dict[str, str]:
    """Return what a report says of the archive that was read."""
    manifest = archive.manifest
    return {
        "name": manifest.name,
        "made_at": manifest.snapshot_at,
        "manifest_sha256": archive.sha256,
        "database": manifest.database.vendor,
    }


def _report(archive: Archive, state: SchemaState, scratch: Scratch, seconds: float) -> dict[str, Any]:
    return {
        "archive": archive_told(archive),
        "tables": {label: content.rows for label, content in scratch.content.items()},
        "checks": {
            "signature": "good",
            "files": sum(len(table.files) for table in archive.manifest.tables),
            "references": "good",
            "findings": scratch.findings,
            "totals": scratch.totals,
        },
        "brought_up_by": [f"{app}.{name}" for app, name in state.missing],
        "emptied": list(EMPTIED),
        "left": list(LEFT),
        "seconds": {"read_and_checked": round(seconds, 1)},
    }


def _concluded(work: _Work, connection: BaseDatabaseWrapper, loaded: Loaded, seconds: float) -> None:
    """Say what was done, within the transaction that did it."""
    now = work.clock()
    work.report |= {"replaced": loaded.replaced, "jobs_dropped": loaded.jobs_dropped}
    work.report["checks"]["checksums"] = "good"
    work.report["seconds"]["in_all"] = round(seconds, 1)
    default_project_ensure(now=now)
    told = {"archive": work.restore.backup_name, "rows": work.rows}
    row_audit(row=work.restore, verb="create", changes=told, caller=work.caller, now=now)
    if work.into_own_store:
        restore_conclude(work.restore, connection, now=now, rows=work.rows, report=work.report)


def restore_conclude(
    restore: Restore, connection: BaseDatabaseWrapper, *, now: datetime, rows: int, report: dict[str, Any]
) -> None:
    """Mark a restore into this store as done, within the transaction that did it. Raises Unavailable if given up."""
    if not Restore.objects.filter(pk=restore.pk, is_running=True).exists():
        raise Unavailable("The restore was given up meanwhile: nothing was heard of it for too long.")
    restore_end(restore=restore, status=Restore.Status.COMPLETED, now=now, row_count=rows, report=report)
    if connection.vendor == "sqlite":
        # While the file was locked, no job could say that it is alive.
        Job.objects.filter(state=Job.State.RUNNING).update(due_at=lease_end(timezone.now()))


def _ended(work: _Work) -> Restore:
    """Return the row as it stands; where another database was written, it is told here, after that."""
    if work.dry_run or not work.into_own_store:
        status = Restore.Status.DRY_RUN if work.dry_run else Restore.Status.COMPLETED
        restore_end(restore=work.restore, status=status, now=work.clock(), row_count=work.rows, report=work.report)
    work.restore.refresh_from_db()
    return work.restore
