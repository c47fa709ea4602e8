"""What one run has brought into some sessions, and which rows of them it did not bring."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from backups_app.models import ImportOrigin, ImportRun
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Task, TokenUsage, ToolCall
from history_app.services.ingest.usage_rows import stands_alone

# By table: the kinds of records whose ids its rows carry, and the columns that carry them.
TABLES: dict[Any, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Message: (("message",), ("record_id",)),
    ToolCall: (("tool_call",), ("record_id",)),
    LLMCall: (("llm_request", "llm_response"), ("record_id", "response_record_id")),
    TokenUsage: (("token_usage", "cost"), ("record_id", "cost_record_id")),
    ErrorRecord: (("error",), ("record_id",)),
    Metric: (("metric",), ("record_id",)),
    Task: (("task",), ("record_id",)),
}
MADE = frozenset({"session", "placeholder_session"})


@dataclass(slots=True)
class Brought:
    """What a run has brought into one session: the ids, by kind."""

    kinds: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def made(self) -> bool:
        """Whether the session itself is the run's."""
        return not MADE.isdisjoint(self.kinds)

    def ids(self, kinds: Iterable[str]) -> set[str]:
        """The ids of all these kinds."""
        return set().union(*(self.kinds.get(kind, set()) for kind in kinds))


def brought_into(run: ImportRun, sessions: list[int]) -> dict[int, Brought]:
    """What the run has brought into each of these sessions."""
    found: dict[int, Brought] = {pk: Brought() for pk in sessions}
    rows = ImportOrigin.objects.filter(run=run, session__in=sessions)
    for row in rows.iterator():
        session, records = cast("int", row.session_id), cast("Any", row.records)
        for kind, entries in records.items():
            found[session].kinds[kind].update(entry[0] for entry in entries)
    return found


@dataclass(slots=True)
class Rows:
    """The rows of one table: those that the run alone has brought, and those in its way."""

    own: list[int] = field(default_factory=list)
    foreign: list[tuple[int, str]] = field(default_factory=list)


def rows_of(table: Any, brought: dict[int, Brought]) -> Rows:
    """Tell the run's own rows in these sessions from those that were added since.

    In a session that was there before, what is older than the run's first row is in nobody's way.
    """
    kinds, columns = TABLES[table]
    rows = Rows()
    ids = {pk: theirs.ids(kinds) for pk, theirs in brought.items()}
    own: dict[int, int] = {}
    others: list[tuple[int, int, str]] = []
    for pk, session, names in _stored(table, columns, list(brought)):
        shared = names & ids[session]
        if shared == names:
            rows.own.append(pk)
            own.setdefault(session, pk)
        elif shared:
            rows.foreign.append((session, ", ".join(sorted(names - shared))))
        else:
            others.append((pk, session, next(iter(names), "")))
    rows.foreign += [
        (session, name)
        for pk, session, name in others
        if brought[session].made or (session in own and pk > own[session])
    ]
    return rows


def _stored(table: Any, columns: tuple[str, ...], sessions: list[int]) -> Iterator[tuple[int, int, set[str]]]:
    """The rows of sessions in the order of their keys, each with the ids of the records that made it."""
    more = ("source",) if table is TokenUsage else ()
    found = table.objects.filter(session__in=sessions).order_by("pk").values_list("pk", "session_id", *columns, *more)
    for pk, session, *names in found.iterator(chunk_size=2000):
        if more and stands_alone(names.pop(), names[0]):
            names[0] = None
        yield pk, session, {name for name in names if name is not None}
