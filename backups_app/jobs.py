"""Jobs of the keep; each makes one service call and may run twice."""

from typing import Any, Literal, cast

from django.conf import settings

from backups_app.models import Backup
from backups_app.services.backups import (
    backup_create,
    backup_restore,
    backup_verify,
    backups_prune,
    backups_scan,
    stale_backups_fail,
)
from backups_app.services.backups.parts import backup_restore_part, choice_of
from backups_app.services.backups.progress import Check
from backups_app.services.backups.runs import AtWork
from backups_app.services.doctor import store_examine
from backups_app.services.legacy_import import deposit_import, stale_imports_interrupt, uploads_prune
from config.shared.callers import SYSTEM, Caller
from config.shared.errors import NotFound, Unavailable
from config.shared.jobs import JobFailed, JobRun, job
from sessions_app.services.jobs import job_enqueue

CallerKind = Literal["key", "staff", "system"]
# A large store takes hours; no run of a backup is given up for that.
LONGEST_SECONDS = 24 * 3600
# A restore or another backup that is at work is over by then, or a disk has room again.
PATIENCE_SECONDS = 60


@job("imports.interrupt_stale")
def interrupt_stale(run: JobRun) -> dict[str, Any]:
    """Mark the imports as interrupted whose process died."""
    return {"interrupted": stale_imports_interrupt(now=run.now)}


@job("imports.bring_in", attempts=2, limit=LONGEST_SECONDS)
def bring_in(run: JobRun, dry_run: bool, **chosen: Any) -> dict[str, Any]:
    """Look at a store that staff brought, or bring it in; a second attempt goes on where the first was cut short."""
    return deposit_import(
        **chosen,
        project_id=cast("int", run.project_id),
        dry_run=dry_run,
        resumes=run.fence > 1,
        now=run.now,
        caller=_asker(run),
        progress=lambda at: run.progress(done=min(at.bytes_read, at.bytes), total=at.bytes),
    )


@job("imports.prune_uploads")
def prune_uploads(run: JobRun) -> dict[str, Any]:
    """Remove uploads that nobody brought in."""
    return {"removed": uploads_prune(now=run.now)}


@job("store.examine", attempts=1)
def examine(run: JobRun, repair: bool = False) -> dict[str, Any]:
    """Look for faults in the store, and with `repair` put right what can be; the result names them."""
    return store_examine(caller=SYSTEM, now=run.now, repair=repair, check=run.check).as_json()


@job("backup.make", attempts=3, back_off=PATIENCE_SECONDS, limit=LONGEST_SECONDS)
def make(run: JobRun, name: str | None = None, trigger: str = Backup.Trigger.SCHEDULE) -> dict[str, Any]:
    """Make a backup, and have old ones make room afterwards. A second attempt has a name of its own."""
    if name and run.attempt > 1:
        name = f"{name[:96]}-{run.attempt}"
    try:
        backup = backup_create(name=name, trigger=trigger, requested_by=run.asked_by, now=run.now, check=_watching(run))
    except AtWork as error:
        # What is at work ends, so this is worth another attempt; whatever else is refused is refused for good.
        raise Unavailable(str(error), retry_after=PATIENCE_SECONDS) from error
    job_enqueue(kind="backup.prune", project_id=run.project_id, now=run.now)
    return {"backup": backup.name, "rows": backup.row_count, "bytes": backup.size_bytes}


@job("backup.verify", limit=LONGEST_SECONDS)
def verify(run: JobRun, name: str) -> dict[str, Any]:
    """Read a backup back in full; the result says whether it is good, and where it is not."""
    report = backup_verify(backup=_backup(name), now=run.now, check=_watching(run))
    return {"backup": name, "good": report.good, "content_read": report.content_read, "rows": report.rows,
            "file": report.file, "reason": report.reason}  # fmt: skip


@job("backup.restore", attempts=1, limit=LONGEST_SECONDS)
def restore(run: JobRun, name: str, replace: bool = False, dry_run: bool = False) -> dict[str, Any]:
    """Restore a backup into this store, or only look at what that would do; people ask for each one anew."""
    if run.fence > 1:
        # What was there since the first try would be lost without anybody having said so.
        raise JobFailed("A restore is not tried again; ask for a new one.")
    done = backup_restore(
        source=_backup(name),
        replace=replace,
        dry_run=dry_run,
        requested_by=run.asked_by,
        caller=_asker(run),
        now=run.now,
        check=_watching(run),
        told_in_store=True,
    )
    return {"restore": done.pk, "status": done.status, "rows": done.row_count}


@job("backup.restore_part", attempts=1, limit=LONGEST_SECONDS)
def restore_part(run: JobRun, name: str, dry_run: bool = False, **asked: Any) -> dict[str, Any]:
    """Bring a part of a backup into this store, or only look at what that would do; `asked` is what choice_of takes."""
    if run.fence > 1:
        # It may have been done already, and a second time would find what the first one brought.
        raise JobFailed("A restore is not tried again; ask for a new one.")
    done = backup_restore_part(
        source=_backup(name),
        choice=choice_of(**asked),
        dry_run=dry_run,
        requested_by=run.asked_by,
        caller=_asker(run),
        now=run.now,
        check=_watching(run),
        told_in_store=True,
    )
    return {"restore": done.pk, "status": done.status, "rows": done.row_count}


@job("backup.prune")
def prune(run: JobRun) -> dict[str, Any]:
    """Remove old backups until MAX_BACKUPS are left; never the newest verified one."""
    return {"removed": backups_prune(keep=settings.MAX_BACKUPS, now=run.now)}


@job("backup.scan", limit=LONGEST_SECONDS)
def scan(run: JobRun) -> dict[str, Any]:
    """Look through BACKUP_DIR, and take in the archives that are not known; the result says what stands where."""
    found = backups_scan(now=run.now, check=_watching(run))
    return {"found": [{"name": each.name, "standing": str(each.standing), "reason": each.reason} for each in found]}


@job("backup.settle", keep_hours=24)
def settle(run: JobRun) -> dict[str, Any]:
    """Mark backups and restores as failed whose process died, and remove what they left."""
    return {"failed": stale_backups_fail(now=run.now)}


def _backup(name: str) -> Backup:
    backup = Backup.objects.filter(name=name).first()
    if backup is None:
        raise NotFound(f"There is no backup named {name}.")
    return backup


def _asker(run: JobRun) -> Caller:
    """Return who asked for the job; only those who see every project may."""
    kind, _, name = run.asked_by.partition(": ")
    return Caller(cast("CallerKind", kind), name, "admin", project_ids=None, project_id=run.project_id)


def _watching(run: JobRun) -> Check:
    """Return what tells the job how far its backup is, and stops it when somebody asked for that."""
    return lambda done=0, total=None, label="": run.progress(done=done, total=total, text=label)
