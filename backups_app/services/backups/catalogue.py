"""The catalogue made again from the folder: archives whose rows are not here, because the store is new or lost them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import IntegrityError, transaction

from backups_app.archive import Archive, ArchiveRefused, KeyMissing, archive_open
from backups_app.archive.manifest import SIGNATURE
from backups_app.models import Backup
from backups_app.services.backups import keys
from backups_app.services.backups.folders import archive_folder, archive_names, folder_check
from backups_app.services.backups.progress import Check, unwatched
from backups_app.services.backups.removing import removals_finish
from backups_app.services.backups.verify import archive_read, inspected
from config.shared.errors import InvalidInput

FOUND_BY = "found in BACKUP_DIR"


class Standing(StrEnum):
    """How a folder and the catalogue go together."""

    KNOWN = "known"
    ADDED = "added"
    DAMAGED = "damaged"
    FOREIGN = "foreign"
    EXCHANGED = "exchanged"
    GONE = "gone"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Found:
    """What was found of one archive, by the name of its folder or row."""

    name: str
    standing: Standing
    reason: str = ""


def backups_scan(*, now: datetime, check: Check = unwatched) -> list[Found]:
    """Look through BACKUP_DIR, give every archive of a trusted key that has no row one, and say what stands where.

    An archive is read back in full before it gets its row: it is added as verified, or as damaged. One that the disk
    does not let be read, or that no identity here opens, is unreadable and gets none. One that no trusted key signed is
    foreign: it gets none, and can neither be restored nor removed from here. Nothing that is known is changed, but
    removals that were interrupted are finished.
    Raises Unavailable when the folder is away, Conflict where no key is trusted.
    """
    folder_check()
    removals_finish(now=now)
    trusted, there = keys.trusted_keys(), archive_names()
    found = [_look(name, trusted, now, check) for name in there]
    archives = Backup.objects.filter(status__in=[Backup.Status.VERIFIED, Backup.Status.DAMAGED])
    gone = archives.exclude(location__in=there).order_by("started_at", "id")
    return [*found, *(Found(backup.name, Standing.GONE, "its folder is not there") for backup in gone)]


def _look(name: str, trusted: list[str], now: datetime, check: Check) -> Found:
    try:
        return _placed(name, trusted, now, check)
    except (OSError, KeyMissing) as error:
        return Found(name, Standing.UNREADABLE, str(error))


def _placed(name: str, trusted: list[str], now: datetime, check: Check) -> Found:
    try:
        archive = archive_open(archive_folder(name), trusted=trusted, identities=keys.identities())
    except ArchiveRefused as refusal:
        standing = Standing.FOREIGN if refusal.file == SIGNATURE else Standing.DAMAGED
        return Found(name, standing, str(refusal))
    except InvalidInput:
        return Found(name, Standing.FOREIGN, "no archive of ours has such a name")
    row = Backup.objects.filter(name=name).first()
    if row is None:
        return _add(archive, now, check)
    if row.manifest_sha256 and row.manifest_sha256 != archive.sha256:
        return Found(name, Standing.EXCHANGED, "another archive stands in this place than the one that was made")
    return Found(name, Standing.KNOWN)


def _add(archive: Archive, now: datetime, check: Check) -> Found:
    name, refusal = archive.manifest.name, _refusal(lambda: archive_read(archive, check))
    try:
        with transaction.atomic():
            _row(archive, now, refusal).save(force_insert=True)
    except IntegrityError:
        # Somebody else found it at the same time.
        return Found(name, Standing.KNOWN)
    return Found(name, Standing.DAMAGED if refusal else Standing.ADDED, refusal)


def _refusal(read: Callable[[], None]) -> str:
    try:
        read()
    except KeyMissing:
        raise
    except ArchiveRefused as refusal:
        return str(refusal)
    return ""


def _row(archive: Archive, now: datetime, refusal: str) -> Backup:
    """Return the row of an archive that was read: made when its snapshot was taken, and checked now."""
    about = inspected(archive)
    # The number of another store's archive may be one of ours, too.
    is_taken = Backup.objects.filter(sequence=about.sequence).exists()
    return Backup(
        name=about.name,
        location=about.name,
        sequence=None if is_taken else about.sequence,
        status=Backup.Status.DAMAGED if refusal else Backup.Status.VERIFIED,
        requested_by=FOUND_BY,
        started_at=about.made_at,
        finished_at=max(now, about.made_at),
        verified_at=None if refusal else now,
        last_check_at=now,
        size_bytes=about.size_bytes,
        row_count=about.row_count,
        tables=about.tables,  # type: ignore[misc]
        encrypted=about.encrypted,
        manifest_sha256=archive.sha256,
        format_version=about.format_version,
        failure=refusal,
    )
