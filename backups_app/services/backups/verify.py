"""Looking at archives: one of ours read back in full, and one from elsewhere told apart by its signature."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backups_app.archive import Archive, ArchiveRefused, KeyMissing, Manifest, archive_open
from backups_app.archive.manifest import MANIFEST, MAX_MANIFEST_BYTES, SIGNATURE, manifest_read, manifest_sha256
from backups_app.archive.reading import file_bytes
from backups_app.archive.signatures import key_id
from backups_app.models import Backup
from backups_app.services.backups import keys
from backups_app.services.backups.create import backup_folder
from backups_app.services.backups.folders import folder_check
from backups_app.services.backups.progress import Check, Progress, unwatched
from config.shared.errors import Conflict, Unavailable


@dataclass(frozen=True)
class BackupReport:
    """What a look at an archive found. Where `content_read` is false only the stored bytes could be compared."""

    name: str
    good: bool
    content_read: bool
    rows: int
    tables: Mapping[str, int]
    stored_bytes: int
    file: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Inspected:
    """An archive whose signature is good, as its manifest describes it."""

    manifest: Manifest
    sha256: str
    size_bytes: int

    @property
    def name(self) -> str:
        """The archive's own name."""
        return self.manifest.name

    @property
    def sequence(self) -> int:
        """Its number among the archives of its store."""
        return self.manifest.sequence

    @property
    def made_at(self) -> datetime:
        """The moment that it shows."""
        return datetime.fromisoformat(self.manifest.snapshot_at)

    @property
    def tables(self) -> dict[str, int]:
        """The number of rows of each table."""
        return {table.label: table.rows for table in self.manifest.tables}

    @property
    def row_count(self) -> int:
        """The number of all rows."""
        return self.manifest.rows

    @property
    def encrypted(self) -> bool:
        """Whether its files are encrypted."""
        return self.manifest.encryption is not None

    @property
    def format_version(self) -> int:
        """The version of the format."""
        return self.manifest.format_version


def archive_inspect(path: Path) -> Inspected:
    """Return what the archive in a folder says of itself; its signature is checked before anything is believed.

    Its rows are not read. Raises ArchiveRefused, naming file and reason, and Conflict where no key is trusted.
    """
    return inspected(archive_open(path, trusted=keys.trusted_keys()))


def inspected(archive: Archive) -> Inspected:
    """Return what an archive that is open says of itself."""
    size = sum(each.stat().st_size for each in archive.folder.rglob("*") if each.is_file())
    return Inspected(archive.manifest, archive.sha256, size)


def backup_verify(*, backup: Backup, now: datetime, check: Check = unwatched) -> BackupReport:
    """Read an archive back in full, mark it verified or damaged, and say what was found.

    Every row is read where that is possible; an archive that is encrypted, without its identity here, is compared by
    its stored bytes. Only what is wrong with the archive itself makes it damaged. Raises Conflict while it is made,
    where a key of it is not given here, and when it was removed meanwhile; Unavailable when the folder of archives is
    away or the disk does not let it be read.
    """
    if backup.status in (Backup.Status.RUNNING, Backup.Status.FAILED):
        raise Conflict(f"The backup {backup.name} is {backup.get_status_display()}: there is nothing to verify.")
    try:
        archive = archive_of(backup)
        archive_read(archive, check)
    except OSError as error:
        raise Unavailable(
            f"The archive cannot be read: {error.strerror or error} ({error.filename or backup.name}).", retry_after=60
        ) from error
    except ArchiveRefused as refusal:
        if isinstance(refusal, KeyMissing) or _is_of_a_former_key(backup, refusal):
            raise Conflict(f"{refusal}. Whether the archive is good cannot be said without that key.") from refusal
        report = BackupReport(backup.name, False, False, 0, {}, backup.size_bytes, refusal.file, refusal.reason)
        _mark(backup, now, status=Backup.Status.DAMAGED, failure=str(refusal))
        return report
    _mark(backup, now, status=Backup.Status.VERIFIED, failure="", verified_at=now)
    manifest = archive.manifest
    tables = {table.label: table.rows for table in manifest.tables}
    return BackupReport(backup.name, True, archive.readable, manifest.rows, tables, manifest.stored_bytes)


def archive_of(backup: Backup) -> Archive:
    """Open the archive of a row, and see that it is the one that the row was written for.

    Raises ArchiveRefused, Unavailable when the folder of archives is away, and OSError where the disk refuses.
    """
    folder_check()
    archive = archive_open(
        backup_folder() / backup.location, trusted=keys.trusted_keys(), identities=keys.identities(), name=backup.name
    )
    if backup.manifest_sha256 and archive.sha256 != backup.manifest_sha256:
        raise ArchiveRefused(MANIFEST, "another archive stands in this place than the one that was made")
    return archive


def archive_read(archive: Archive, check: Check) -> None:
    """Read all that can be read of an archive. Raises ArchiveRefused."""
    progress = Progress(check, archive.manifest.stored_bytes)
    if archive.readable:
        archive.check_rows(lambda done: progress.add(done, "reading back"))
    else:
        archive.check_stored(lambda done: progress.add(done, "reading back"))
    progress.tell("read back")


def _is_of_a_former_key(backup: Backup, refusal: ArchiveRefused) -> bool:
    """Return whether the manifest is the one that was made, by a key that is not trusted here any more."""
    if refusal.file != SIGNATURE or not backup.manifest_sha256:
        return False
    data = file_bytes(backup_folder() / backup.location, MANIFEST, MAX_MANIFEST_BYTES)
    if manifest_sha256(data) != backup.manifest_sha256:
        return False
    return manifest_read(data).signing_key_id not in {key_id(key) for key in keys.trusted_keys()}


def _mark(backup: Backup, now: datetime, **changed: object) -> None:
    changed.setdefault("finished_at", backup.finished_at or now)
    if not Backup.objects.filter(pk=backup.pk).update(last_check_at=now, **changed):
        raise Conflict(f"The backup {backup.name} was removed while it was read.")
    backup.refresh_from_db()
