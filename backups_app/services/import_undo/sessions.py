"""Takes what a run brought out of its sessions, some sessions at a time, each time all or nothing."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import F

from backups_app.models import ImportOrigin, ImportRun
from backups_app.services.import_undo.belongings import TABLES, Brought, Rows, brought_into, rows_of
from backups_app.services.import_undo.changes import changed_since
from config.shared.errors import Conflict
from history_app.models import Arrival, Message
from sessions_app.models import AgentResidency, Session, SessionActivity, SessionState, WorkflowRun
from sessions_app.services.labels import labels_replace
from sessions_app.services.session_batches import PLACEHOLDER

SESSIONS_AT_ONCE = 100
ROWS_PER_STATEMENT = 500


def session_pages(run: ImportRun) -> Iterator[list[int]]:
    """The sessions that the run has brought anything into, some at a time."""
    last = 0
    while True:
        rows = ImportOrigin.objects.filter(run=run, session__gt=last).order_by("session_id")
        page = list(rows.values_list("session_id", flat=True).distinct()[:SESSIONS_AT_ONCE])
        if not page:
            return
        yield page
        last = page[-1]


def look_at(run: ImportRun, sessions: list[int]) -> tuple[Counter[str], list[str]]:
    """Count what would go from these sessions, by kind, and say what stands in the way."""
    brought = brought_into(run, sessions)
    counts: Counter[str] = Counter()
    for theirs in brought.values():
        counts.update({kind: len(ids) for kind, ids in theirs.kinds.items()})
    tables = {table: rows_of(table, brought) for table in TABLES}
    return counts, _obstacles(run, brought, tables)


@transaction.atomic
def take_out(run: ImportRun, sessions: list[int]) -> None:
    """Remove what the run brought into these sessions. Raises Conflict where something was added a moment ago."""
    list(SessionActivity.objects.select_for_update().filter(pk__in=sessions).order_by("pk").values_list("pk"))
    brought = brought_into(run, sessions)
    tables = {table: rows_of(table, brought) for table in TABLES}
    if obstacles := _obstacles(run, brought, tables):
        raise Conflict(obstacles[0])
    _forget_messages(tables[Message], brought)
    for table, rows in tables.items():
        for some in some_of(rows.own):
            table.objects.filter(pk__in=some).delete()
    for pk, theirs in brought.items():
        _leave(pk, theirs)
    Session.objects.filter(pk__in=[pk for pk, theirs in brought.items() if theirs.made]).delete()
    ImportOrigin.objects.filter(run=run, session__in=sessions).delete()


def _forget_messages(rows: Rows, brought: dict[int, Brought]) -> None:
    """Let the counts of sessions that stay follow."""
    staying = [pk for pk, theirs in brought.items() if not theirs.made]
    gone: Counter[int] = Counter()
    for some in some_of(rows.own):
        gone.update(Message.objects.filter(pk__in=some, session__in=staying).values_list("session_id", flat=True))
    for pk, number in sorted(gone.items()):
        SessionActivity.objects.filter(pk=pk).update(message_count=F("message_count") - number)


def _leave(pk: int, theirs: Brought) -> None:
    """Remove what hangs on one session besides its records."""
    WorkflowRun.objects.filter(session=pk, run_id__in=theirs.ids(["workflow_run"])).delete()
    if theirs.made:
        return
    Arrival.objects.filter(session=pk, record_id__in=theirs.ids(["llm_request", "llm_response", "cost"])).delete()
    if "filled_session" in theirs.kinds:
        _empty(Session.objects.get(pk=pk))


def _empty(session: Session) -> None:
    """Make a session the placeholder again that it was before the run filled it."""
    SessionState.objects.filter(session=session).delete()
    kept = {"pk", "id", "project", "session_id", "created_at", "updated_at", "version"}
    for column in session._meta.concrete_fields:
        if column.name not in kept:
            setattr(session, column.name, column.get_default())
    session.status, session.metadata = Session.Status.INACTIVE, {PLACEHOLDER: True}
    session.version += 1
    session.save(force_update=True)
    labels_replace(sessions=[session])


def _obstacles(run: ImportRun, brought: dict[int, Brought], tables: dict[Any, Rows]) -> list[str]:
    """What was added to these sessions since, or changed, each in a sentence."""
    names = dict(Session.objects.filter(pk__in=brought).values_list("pk", "session_id"))
    found = [
        f"session {names[session]!r:.300}: {table._meta.model_name} {name!r:.300} was added since"
        for table, rows in tables.items()
        for session, name in rows.foreign
    ]
    made = {pk: theirs for pk, theirs in brought.items() if theirs.made or "filled_session" in theirs.kinds}
    found += [
        f"session {names[pk]!r:.300}: {kind.replace('_', ' ')} {name!r:.300} cannot be taken back"
        for pk, theirs in brought.items()
        for kind in theirs.kinds
        if kind.startswith("replaced_")
        for name in theirs.kinds[kind]
    ]
    return found + _changed_sessions(made, names) + changed_since(run, brought, names)


def _changed_sessions(made: dict[int, Brought], names: dict[int, str]) -> list[str]:
    found = []
    versions = dict(Session.objects.filter(pk__in=made).values_list("pk", "version"))
    states = Counter(SessionState.objects.filter(session__in=made).values_list("session_id", flat=True))
    runs = WorkflowRun.objects.filter(session__in=made).values_list("session_id", "run_id")
    for pk, theirs in made.items():
        # A placeholder that was filled is in its second version.
        if versions.get(pk, 0) > 1 + ("filled_session" in theirs.kinds):
            found.append(f"session {names[pk]!r:.300} was changed since")
        if states[pk] > len(theirs.kinds.get("state", ())):
            found.append(f"session {names[pk]!r:.300}: a state was added since")
    found += [
        f"session {names[pk]!r:.300}: the workflow run {run!r:.300} was added since"
        for pk, run in runs
        if run not in made[pk].ids(["workflow_run"])
    ]
    held = AgentResidency.objects.filter(session__in=made).values_list("session_id", flat=True)
    return found + [f"session {names[pk]!r:.300}: an agent is at work in it" for pk in held]


def some_of(keys: list[int]) -> Iterator[list[int]]:
    """Keys in lists that one statement can take."""
    for start in range(0, len(keys), ROWS_PER_STATEMENT):
        yield keys[start : start + ROWS_PER_STATEMENT]
