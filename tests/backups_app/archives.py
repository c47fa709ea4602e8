"""Archives made for tests, without a database: small ones with two tables, signed and, when asked, encrypted."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyrage

from backups_app.archive import ArchiveWriter, Manifest, archive_open
from backups_app.archive.manifest import (
    FORMAT,
    FORMAT_VERSION,
    MANIFEST,
    SIGNATURE,
    Column,
    Database,
    Encryption,
    manifest_bytes,
)
from backups_app.archive.signatures import key_id, signature_made, verify_key_of
from config.generated_secrets import new_backup_signing_key

SIGNING_KEY = new_backup_signing_key()
VERIFY_KEY = verify_key_of(SIGNING_KEY)
IDENTITY = pyrage.x25519.Identity.generate()
COLUMNS = [Column("id", "int"), Column("text", "text"), Column("at", "time"), Column("raw", "bytes")]
LABEL = "history_app.message"


@dataclass
class Made:
    """An archive in a folder, and how to change it as its maker, or as somebody else, would."""

    folder: Path
    manifest: Manifest = field(init=False)

    def open(self, **options: Any) -> Any:
        """Open it with the keys of the tests."""
        return archive_open(self.folder, **{"trusted": [VERIFY_KEY], "identities": [IDENTITY], **options})

    def read(self) -> None:
        """Read all of it, as a restore does."""
        self.open().check_rows()

    def sign(self, data: bytes, key: str = SIGNING_KEY) -> None:
        """Put a manifest and its signature there."""
        (self.folder / MANIFEST).write_bytes(data)
        (self.folder / SIGNATURE).write_bytes(signature_made(data, key))

    def change(self, **changed: Any) -> None:
        """Say something else in the manifest, and sign it again with the key that is trusted."""
        self.manifest = msgspec.structs.replace(self.manifest, **changed)
        self.sign(manifest_bytes(self.manifest))

    def change_part(self, **changed: Any) -> None:
        """Say something else of the first file."""
        first, *others = self.manifest.tables
        part = msgspec.structs.replace(first.files[0], **changed)
        self.change(tables=[msgspec.structs.replace(first, files=[part, *first.files[1:]]), *others])

    def parts(self) -> list[Path]:
        """Return the files of rows."""
        return sorted((self.folder / "tables").rglob("*.jsonl.*"))

    def copy(self, name: str) -> "Made":
        """Return a copy of it in a folder of the same name elsewhere."""
        target = self.folder.parent / name / self.folder.name
        shutil.copytree(self.folder, target)
        made = Made(target)
        made.manifest = self.manifest
        return made


def make_archive(
    parent: Path, name: str = "backup-1", *, sealed: bool = True, rows: int = 300, text: str = "", sequence: int = 1
) -> Made:
    """Make an archive of two tables, with a few rows each."""
    made = Made(parent / name)
    with ArchiveWriter(made.folder, recipients=[IDENTITY.to_public()] if sealed else []) as writer:
        for label in (LABEL, "sessions_app.session"):
            table = writer.table(label, COLUMNS, "id")
            for number in range(1, rows + 1):
                at = f"2026-03-14T09:26:53.{number:06d}Z"
                table.add(
                    [(number, text or f"{label} {number}\n\u2028 中文 \x01", at, None if number % 3 else b"\x00\xff")]
                )
            table.end()
        made.manifest = Manifest(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            kind="full",
            parents=[],
            name=name,
            sequence=sequence,
            previous=None,
            app_version="0.1.0",
            migrations={},
            database=Database("sqlite", "3"),
            snapshot_at="2026-03-14T09:26:53Z",
            signing_key_id=key_id(VERIFY_KEY),
            field_key_ids=[],
            encryption=Encryption("age", [str(IDENTITY.to_public())]) if sealed else None,
            tables=writer.tables,
        )
        writer.finish(made.manifest, SIGNING_KEY)
    return made
