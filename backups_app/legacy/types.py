"""What a parser of an old store yields: sessions, records, workflows, settings, and findings about faults."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

RAW_LIMIT = 64 * 1024
# The code of the finding that a server could not be read, or not to its end.
NO_SERVER = "server"


class Level(StrEnum):
    """How grave a finding is. Only a rejected item is absent from what was brought in."""

    REJECTED = "rejected"
    REPAIRED = "repaired"
    CONFLICT = "conflict"
    SKIPPED = "skipped"
    NOTE = "note"


class Place(Struct, frozen=True, gc=False):
    """Where something was found: a path inside the store, with a line, or with a table and the key of a row."""

    path: str
    line: int | None = None
    table: str | None = None
    key: str | None = None

    def at_line(self, line: int | None) -> "Place":
        """The same file at another line."""
        return replace(self, line=line)

    def within(self, folder: str) -> "Place":
        """The same place, seen from a folder above the store."""
        return replace(self, path=f"{folder}/{self.path}") if self.path else replace(self, path=folder)

    def at_row(self, table: str, key: str) -> "Place":
        """The same file at a row of a table, or at a part of a document."""
        return replace(self, table=table, key=key)

    def __str__(self) -> str:
        row = f" {self.table}[{self.key}]" if self.table else ""
        return f"{self.path}:{self.line}" if self.line else f"{self.path}{row}"


class Finding(Struct):
    """One thing to tell the person who runs the import. `raw` is the source's own text, never that of a secret."""

    level: Level
    code: str
    place: Place
    detail: str
    kind: str
    raw: str | None = None


class Limits(Struct):
    """Bounds on what a parser reads into memory, and for how long it waits (`query_seconds` 0: for ever)."""

    line_bytes: int = 64 * 1024 * 1024
    document_bytes: int = 64 * 1024 * 1024
    sorted_group_bytes: int = 32 * 1024 * 1024
    depth: int = 100
    unpack_ratio: int = 200
    lock_seconds: float = 5.0
    connect_seconds: float = 30.0
    query_seconds: float = 10.0


class Reading(Struct):
    """How a store is to be read: the zone of times without one, the bounds, and who hears of each finding.

    `statuses` says what words for a session's status mean, before what the product makes of them.
    """

    report: Callable[[Finding], None]
    zone: tzinfo = UTC
    limits: Limits = field(default_factory=Limits)
    statuses: Mapping[str, str] = field(default_factory=dict)


class StoreBegins(Struct, frozen=True):
    """Says that what follows is of another store, where several are read as one."""

    place: Place


class LegacySession(Struct):
    """One session as the source tells it. `state` is None where there is none; `run_id` names its workflow run.

    `size` is how many bytes it took in the source, as far as that is known.
    """

    session_id: str
    place: Place
    status: str
    created_at: datetime | None
    updated_at: datetime | None
    user_id: str = ""
    title: str = ""
    tags: list[str] = field(default_factory=list)
    workflow: str = ""
    workflow_config_path: str = ""
    run_id: str = ""
    agent_config: dict[str, Any] = field(default_factory=dict)
    workflow_config: dict[str, Any] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] | None = None
    repaired: bool = False
    size: int = 0


class LegacyRecord(Struct, gc=False):
    """One fact of a session. `fields` has the names of the public API, with `metadata` always a dict.

    `repeated` says that the same fact was yielded before under another record id: it is to be counted, not written.
    `size` is how many bytes it took in the source, as far as that is known.
    """

    kind: str
    session_id: str
    record_id: str
    timestamp: datetime
    fields: dict[str, Any]
    place: Place
    repaired: bool = False
    repeated: bool = False
    size: int = 0


class LegacyWorkflow(Struct):
    """One workflow definition, gathered from its YAML file and its table row. `name` is its key in the store."""

    name: str
    place: Place
    title: str = ""
    description: str = ""
    version: str = ""
    config_path: str = ""
    definition: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    loaded_at: datetime | None = None
    last_used: datetime | None = None
    usage_count: int = 0
    repaired: bool = False

    def __repr__(self) -> str:
        return f"LegacyWorkflow({self.name!r})"


class LegacyConfig(Struct):
    """One configuration value. Secrets are masked in `value` and stand in `secrets` by their JSON pointer."""

    key: str
    section: str
    value: Any
    place: Place
    secrets: dict[str, str] = field(default_factory=dict)
    updated_at: datetime | None = None
    repaired: bool = False
    description: str = ""

    def __repr__(self) -> str:
        return f"LegacyConfig({self.key!r})"


class LegacyUser(Struct):
    """One end user of the agents. `api_keys` are the secrets by provider; preferences have masks in their place.

    `brought_in` is what the source knows besides: its own counts in `usage_stats`, and what was found of odd columns.
    """

    user_id: str
    place: Place
    preferences: dict[str, Any] = field(default_factory=dict)
    api_keys: dict[str, str] = field(default_factory=dict)
    brought_in: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    repaired: bool = False
    size: int = 0

    def __repr__(self) -> str:
        return f"LegacyUser({self.user_id!r})"


class LegacyKnowledge(Struct):
    """One place that agents draw knowledge from. `deleted_at` is set for one that the store marks as deleted.

    `alike_before` is how many of the same name, path, type and time of creation come before it in the same database.
    """

    source_name: str
    source_path: str
    source_type: str
    place: Place
    status: str = "active"
    metadata: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    alike_before: int = 0
    repaired: bool = False
    size: int = 0


LegacyItem = LegacySession | LegacyRecord | LegacyWorkflow | LegacyConfig | LegacyUser | LegacyKnowledge


def raw_text(raw: bytes | str) -> str:
    """The source's own text for a finding: what is not UTF-8 is escaped, and a long text is cut."""
    piece = raw[:RAW_LIMIT]
    text = piece.decode("utf-8", "backslashreplace") if isinstance(piece, bytes) else piece
    text = text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\u0000")
    return text if len(raw) <= RAW_LIMIT else f"{text}... ({len(raw)} in all)"
