"""Which task a tool call belongs to: named by its number, or by its record id within the session."""

from collections.abc import Sequence

from msgspec.structs import replace

from history_app.models import Task
from history_app.services.drafts import ToolCallDraft
from history_app.services.ingest import statements
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.results import Outcome, OutcomeKind

UNKNOWN_TASK = Outcome(OutcomeKind.REJECTED, "/task", "There is no such task in the session.")
MAX_TASK_NUMBER = 2**63 - 1


def tasks_resolve(entries: Sequence[Entry], batch: Batch) -> list[Entry]:
    """Return the tool calls with their tasks as primary keys; those whose task is not there are settled as rejected."""
    named = [entry for entry in entries if _draft(entry).task is not None]
    if not named:
        return list(entries)
    known = _known(named)
    resolved = []
    for entry in entries:
        draft = _draft(entry)
        if draft.task is None:
            resolved.append(entry)
        elif (pk := known.get((entry.session.pk, draft.task))) is None:
            batch.outcomes[entry.index] = UNKNOWN_TASK
        else:
            # A copy: a batch that is tried again finds its tasks under other numbers.
            resolved.append(Entry(entry.index, replace(draft, task=pk), entry.session))
    return resolved


def _draft(entry: Entry) -> ToolCallDraft:
    assert isinstance(entry.draft, ToolCallDraft)  # noqa: S101
    return entry.draft


def _known(entries: Sequence[Entry]) -> dict[tuple[int, int | str], int]:
    """Return the primary keys of the tasks that the entries name, by session and name."""
    columns = ("session_id", "id", "record_id")
    named = {(entry.session.pk, _draft(entry).task) for entry in entries}
    numbers = [(pk, task) for pk, task in named if isinstance(task, int) and 0 < task <= MAX_TASK_NUMBER]
    names = [(pk, task) for pk, task in named if isinstance(task, str)]
    by_number = (("session_id", statements.INTEGER), ("id", statements.INTEGER))
    by_name = (("session_id", statements.INTEGER), ("record_id", statements.TEXT))
    known: dict[tuple[int, int | str], int] = {}
    for session, pk, _record_id in statements.select_matching(Task, columns, by_number, numbers):
        known[session, pk] = pk
    for session, pk, record_id in statements.select_matching(Task, columns, by_name, names):
        known[session, record_id] = pk
    return known
