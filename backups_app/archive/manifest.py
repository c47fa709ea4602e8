"""The manifest: what an archive holds, and the rules that its names and numbers keep to."""

import hashlib
import re
from typing import Literal

import msgspec
from msgspec import Struct

from backups_app.archive.refusals import ArchiveRefused

FORMAT = "agentledger-archive"
FORMAT_VERSION = 1
MANIFEST, SIGNATURE, TABLES = "manifest.json", "manifest.json.sig", "tables"
PLAIN_ENDING, SEALED_ENDING = ".jsonl.zst", ".jsonl.zst.age"
# A part ends at the first batch of rows that brings it to so many bytes, so that it fits in memory with ease.
PART_BYTES = 32 * 1024 * 1024
# No part may be longer, unless a single row is.
MAX_PART_BYTES = 64 * 1024 * 1024
# What one row may come to: two bodies of 8 MiB, each character of which is escaped by six.
MAX_ROW_BYTES = 128 * 1024 * 1024
MAX_STORED_BYTES = MAX_ROW_BYTES + 1024 * 1024
MAX_FILES = 100_000
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
MAX_SIGNATURE_BYTES = 1024

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_LABEL = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_PART = re.compile(r"tables/([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)/[0-9]{3,6}\.jsonl\.zst(\.age)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Kind = Literal["int", "text", "json", "bool", "time", "float", "decimal", "bytes"]


class Column(Struct, frozen=True, forbid_unknown_fields=True):
    """One column: its name in the database, and what its values are (docs/archive-format.md has the kinds)."""

    name: str
    kind: Kind


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its rows, and length and SHA-256 of its lines and of its stored bytes."""

    name: str
    rows: int
    bytes: int
    sha256: str
    stored_bytes: int
    stored_sha256: str


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """One table: its columns in the order of each row, and what its rows add up to.

    `checksum` is the sum of the SHA-256 of every line (without its end) modulo 2^256: the order does not count.
    """

    label: str
    columns: list[Column]
    primary_key: str
    rows: int
    min_pk: int | str | None
    max_pk: int | str | None
    checksum: str
    files: list[Part]


class Previous(Struct, frozen=True, forbid_unknown_fields=True):
    """The archive before this one, by which a missing or exchanged one is noticed."""

    name: str
    sequence: int
    manifest_sha256: str


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the rows came from."""

    vendor: str
    version: str


class Encryption(Struct, frozen=True, forbid_unknown_fields=True):
    """How the files are encrypted, and for whom."""

    method: Literal["age"]
    recipients: list[str]


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that is said about an archive. Times are RFC 3339 in UTC; `migrations` are those applied, by app."""

    format: str
    format_version: int
    kind: Literal["full"]
    parents: list[str]
    name: str
    sequence: int
    previous: Previous | None
    app_version: str
    migrations: dict[str, list[str]]
    database: Database
    snapshot_at: str
    signing_key_id: str
    field_key_ids: list[str]
    encryption: Encryption | None
    tables: list[Table]

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def stored_bytes(self) -> int:
        """How many bytes all files take, without the manifest itself."""
        return sum(part.stored_bytes for table in self.tables for part in table.files)

    def table(self, label: str) -> Table | None:
        """Return the table of this label, or None."""
        return next((table for table in self.tables if table.label == label), None)


class _Heading(Struct):
    """What must be understood before the rest: a later format may say everything else in another way."""

    format: str
    format_version: int


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest as it is written and signed: there is one way to write it."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def manifest_sha256(data: bytes) -> str:
    """Return the digest by which a manifest is named."""
    return hashlib.sha256(data).hexdigest()


def manifest_read(data: bytes) -> Manifest:
    """Return what these bytes say. Raises ArchiveRefused for a format that is too new, and for what breaks a rule."""
    try:
        heading = msgspec.json.decode(data, type=_Heading)
        if heading.format != FORMAT:
            raise ArchiveRefused(MANIFEST, "this is no archive of AgentLedger")
        if heading.format_version > FORMAT_VERSION:
            why = f"format {heading.format_version} is newer than this version reads ({FORMAT_VERSION}); update first"
            raise ArchiveRefused(MANIFEST, why)
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ArchiveRefused(MANIFEST, f"it cannot be read: {error}") from error
    # Names that stand twice, numbers in another form, and whatever else JSON lets pass.
    if manifest_bytes(manifest) != data:
        raise ArchiveRefused(MANIFEST, "it is not written as this format is")
    _check(manifest)
    return manifest


def name_is_good(name: str) -> bool:
    """Return whether an archive may have this name: it is a folder's on every file system."""
    return _NAME.fullmatch(name) is not None


def _check(manifest: Manifest) -> None:
    if not name_is_good(manifest.name) or manifest.sequence < 1:
        raise ArchiveRefused(MANIFEST, "the archive's name or number breaks the rules")
    labels = [table.label for table in manifest.tables]
    if len(set(labels)) != len(labels):
        raise ArchiveRefused(MANIFEST, "a table stands in it twice")
    names = [part.name for table in manifest.tables for part in table.files]
    if len(names) > MAX_FILES:
        raise ArchiveRefused(MANIFEST, f"it names {len(names)} files; at most {MAX_FILES} are read")
    if len(set(names)) != len(names):
        raise ArchiveRefused(MANIFEST, "a file stands in it twice")
    for table in manifest.tables:
        _check_table(table, SEALED_ENDING if manifest.encryption else PLAIN_ENDING)


def _check_table(table: Table, ending: str) -> None:
    if not _LABEL.fullmatch(table.label) or not _DIGEST.fullmatch(table.checksum):
        raise ArchiveRefused(MANIFEST, f"table {table.label[:100]!r} breaks the rules")
    names = [column.name for column in table.columns]
    if len(set(names)) != len(names) or table.primary_key not in names:
        raise ArchiveRefused(MANIFEST, f"the columns of {table.label} break the rules")
    for part in table.files:
        found = _PART.fullmatch(part.name)
        if not found or found[1] != table.label or not part.name.endswith(ending):
            raise ArchiveRefused(part.name[:200], "this is no name of a file of its table")
        _check_part(part)
    if sum(part.rows for part in table.files) != table.rows:
        raise ArchiveRefused(MANIFEST, f"the files of {table.label} do not add up to its {table.rows} rows")


def _check_part(part: Part) -> None:
    if not (_DIGEST.fullmatch(part.sha256) and _DIGEST.fullmatch(part.stored_sha256)):
        raise ArchiveRefused(part.name, "its digests are none")
    longest = MAX_PART_BYTES if part.rows != 1 else MAX_ROW_BYTES
    if part.rows < 1 or not 0 < part.bytes <= longest or not 0 < part.stored_bytes <= MAX_STORED_BYTES:
        raise ArchiveRefused(part.name, f"it is stated to hold {part.rows} rows in {part.bytes} bytes")
