"""Making a backup: a snapshot written under a temporary name, read back, renamed, and only then said to be there."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from backups_app.archive import Archive, ArchiveRefused, ArchiveWriter, Manifest, archive_open
from backups_app.archive.manifest import FORMAT, FORMAT_VERSION, Database, Encryption, Previous
from backups_app.archive.signatures import key_id, verify_key_of
from backups_app.archive.writing import disk_sync
from backups_app.models import Backup
from backups_app.services.backups import keys
from backups_app.services.backups.giving_way import Neighbours, priority_lower
from backups_app.services.backups.progress import Check, Progress, unwatched
from backups_app.services.backups.runs import backup_begin, backup_fail, lease_kept
from backups_app.services.backups.snapshots import Snapshot, snapshot
from backups_app.services.backups.tables import archived_models, columns_of, primary_key_of
from backups_app.services.backups.watched import apart
from config.shared.errors import Unavailable
from sessions_app.models import Event
from sessions_app.services.events import event_record


def backup_create(
    *,
    name: str | None,
    trigger: str,
    requested_by: str,
    now: datetime,
    check: Check = unwatched,
    gives_way: bool | None = None,
) -> Backup:
    """Make a full archive of the store and return its row, which is verified.

    `check(done, total, label)` is told how far it is, in rows, by a thread of the work, and may raise to stop it. With
    `gives_way` (None: as BACKUP_GIVES_WAY says) it takes what others leave of processors and database. Whatever goes
    wrong is kept with the row, nothing of the archive stays, and the cause is raised: InvalidInput for a bad name,
    Conflict for a taken one, while another is made or where keys are missing, Unavailable when disk or database refuse.
    """
    backup = backup_begin(name=name, trigger=trigger, requested_by=requested_by, now=now)
    began = time.monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    partial = backup_folder() / f".{backup.name}.partial"
    try:
        with _refusals_told(), lease_kept(backup):
            polite = settings.BACKUP_GIVES_WAY if gives_way is None else gives_way
            previous = _previous(backup)
            archive = apart(lambda told: _made(backup, previous, partial, told, polite), check)
            partial.rename(backup_folder() / backup.location)
            disk_sync(backup_folder())
            return _verified(backup, archive, clock())
    except BaseException as error:
        # Also when it was asked to stop: the row must say so, and the half of an archive must go.
        shutil.rmtree(partial, ignore_errors=True)
        _give_up(backup, str(error) or type(error).__name__, clock())
        raise


def _give_up(backup: Backup, cause: str, now: datetime) -> None:
    """Mark the run as failed, over a new connection where the old one broke with it.

    When the database is away altogether the row stays as it is, and is found when its lease is over.
    """
    try:
        backup_fail(backup=backup, cause=cause, now=now)
    except (OperationalError, InterfaceError):
        connection.close()
        backup_fail(backup=backup, cause=cause, now=now)


def backup_folder() -> Path:
    """Return the folder of all archives."""
    return Path(settings.BACKUP_DIR)


@contextmanager
def _refusals_told() -> Iterator[None]:
    """Turn what disks and databases raise into errors of the house."""
    try:
        yield
    except (DatabaseError, connection.Database.Error) as error:  # type: ignore[attr-defined]
        # A snapshot speaks to the driver itself.
        raise Unavailable(f"The database cannot be read: {str(error).strip()}.", retry_after=60) from error
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise Unavailable(
            f"The archive cannot be written: {error.strerror or error}{place}.", retry_after=60
        ) from error


def _made(backup: Backup, previous: Previous | None, partial: Path, check: Check, gives_way: bool) -> Archive:
    """Write the whole archive under its temporary name, and read it back from the disk."""
    key, recipients = keys.signing_key(), keys.recipients()
    identities, trusted = keys.identities(), keys.trusted_keys()
    backup_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    # What is read back to its last line needs no look before it is sealed.
    unseen = bool(recipients) and not identities
    with snapshot() as store, ArchiveWriter(partial, recipients=recipients, unpacks=unseen) as writer:
        rest = _way_given() if gives_way else _unhindered
        migrations = store.migrations()
        _tables_write(store, writer, check, rest)
        manifest = Manifest(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            kind="full",
            parents=[],
            name=backup.name,
            sequence=backup.sequence or 1,
            previous=previous,
            app_version=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
            migrations=migrations,
            database=Database(store.vendor, store.version),
            snapshot_at=f"{store.taken_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            signing_key_id=key_id(verify_key_of(key)),
            field_key_ids=[entry.partition(":")[0] for entry in settings.FIELD_ENCRYPTION_KEYS],
            encryption=Encryption("age", list(settings.BACKUP_AGE_RECIPIENTS)) if recipients else None,
            tables=writer.tables,
        )
        writer.finish(manifest, key)
    archive = archive_open(partial, trusted=trusted, identities=identities, name=backup.name)
    reading = Progress(check, manifest.stored_bytes)

    def tick(done: int) -> None:
        reading.add(done, "reading back")
        rest()

    archive.check_stored(tick)
    reading.tell("read back")
    return archive


def _way_given() -> Callable[[], None]:
    """Give way from now on, for the rest of this thread, and return what is called after each piece of work.

    Not before the snapshot is there: on SQLite writers wait while the file is copied.
    """
    priority_lower()
    return Neighbours().rest


def _unhindered() -> None:
    """Rest for nobody."""


def _tables_write(store: Snapshot, writer: ArchiveWriter, check: Check, rest: Callable[[], None]) -> None:
    tables = [(model, columns_of(model)) for model in archived_models()]
    extents = {model: store.extent(model._meta.db_table, columns) for model, columns in tables}
    progress = Progress(check, sum(extent.rows for extent in extents.values()))
    for model, columns in tables:
        label = model._meta.label_lower
        table = writer.table(label, columns, primary_key_of(model))
        for rows in store.rows(model._meta.db_table, columns, extents[model]):
            table.add(rows)
            progress.add(len(rows), label)
            rest()
        if table.end().rows != extents[model].rows:
            raise ArchiveRefused(label, f"{table.rows} rows were read of the {extents[model].rows} that were counted")
    progress.tell("written")


def _previous(backup: Backup) -> Previous | None:
    rows = Backup.objects.verified().filter(sequence__isnull=False).exclude(pk=backup.pk).order_by("-sequence")
    last = rows.first()
    return None if last is None else Previous(last.name, last.sequence or 0, last.manifest_sha256)


@transaction.atomic
def _verified(backup: Backup, archive: Archive, now: datetime) -> Backup:
    """Say that the archive is there, and tell of it, in one transaction."""
    manifest = archive.manifest
    told = {
        "status": Backup.Status.VERIFIED,
        "finished_at": max(now, backup.started_at),
        "verified_at": now,
        "last_check_at": now,
        "size_bytes": sum(path.stat().st_size for path in _files(backup)),
        "row_count": manifest.rows,
        "tables": {table.label: table.rows for table in manifest.tables},
        "encrypted": manifest.encryption is not None,
        "manifest_sha256": archive.sha256,
        "format_version": manifest.format_version,
    }
    running = Backup.objects.filter(pk=backup.pk, is_running=True)
    if not running.update(is_running=None, lease_until=None, **told):
        raise Unavailable("The backup was given up meanwhile: nothing was heard of it for too long.")
    payload = {"trigger": backup.trigger, "rows": manifest.rows, "bytes": told["size_bytes"]}
    event_record(project_id=None, kind=Event.Kind.BACKUP_MADE, subject=backup.name, payload=payload, now=now)
    backup.refresh_from_db()
    return backup


def _files(backup: Backup) -> Iterator[Path]:
    return (path for path in (backup_folder() / backup.location).rglob("*") if path.is_file())
