"""A new session from a point of another one: what was said and done there is copied by the database, kind by kind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db import transaction
from django.db.models import Case, Count, F, Max, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import gettext as _

from config.shared.callers import Caller
from config.shared.copying import rows_copied
from config.shared.errors import InvalidInput, NotFound
from config.shared.ids import uuid7
from config.shared.retries import retried
from history_app.models import Arrival, ErrorRecord, LLMCall, Message, Subtask, Task, ToolCall
from history_app.services.storable import storable_id
from sessions_app.models import Session, SessionState
from sessions_app.services.audit import audit_record
from sessions_app.services.session_copies import activity_set, session_copy, states_copy

FORKED_FROM, AT_MESSAGE, AT_CHECKPOINT = "forked_from", "forked_at_message", "forked_at_checkpoint"
# Of what is measured (usage with its cost, metrics) nothing is copied: it happened once, and sums count it once.
COPIED = (Message, Task, ToolCall, LLMCall, ErrorRecord)
_RESPONSE = ("response_record_id", "responded_at", "response_metadata", "response", "token_usage", "response_time")


@dataclass(frozen=True, slots=True)
class Fork:
    """A new session, the session and the version of the state that it comes from, and how many rows were copied."""

    session: Session
    source: Session
    checkpoint: int | None
    copied: dict[str, int]


@dataclass(frozen=True, slots=True)
class Point:
    """Where to part from the source: up to a message's number, a moment, and the newest rows that there are now.

    None leaves a side open. `version` is the state that goes along, None where there is none.
    """

    newest: dict[Any, int]
    sequence: int | None = None
    moment: datetime | None = None
    version: int | None = None

    def rows(self, model: Any, source: Session) -> QuerySet[Any]:
        """Return the source's rows of a kind up to the point, in the order in which they were stored."""
        rows = model._default_manager.filter(session=source, pk__lte=self.newest[model]).order_by("pk")
        if model is Message and self.sequence is not None:
            return rows.filter(sequence__lte=self.sequence)  # type: ignore[no-any-return]
        if self.moment is None:
            return rows  # type: ignore[no-any-return]
        time = "created_at" if model is Task else "timestamp"
        return rows.filter(**{f"{time}__lte": self.moment})  # type: ignore[no-any-return]


def session_fork(
    *,
    session: Session,
    caller: Caller,
    now: datetime,
    session_id: str | None = None,
    message: int | None = None,
    checkpoint: int | None = None,
) -> Fork:
    """Make a session with the history and the state of another one, whole or up to a point, and audit that.

    `message` is the number of the last message that is copied; everything else is copied up to that message's time.
    `checkpoint` is a version of the state; without a message the history is copied up to the time of that version.
    Numbers and record ids stay; usage, costs and metrics stay with the source. The source goes on meanwhile: what is
    appended after the beginning is not copied. The number of statements is fixed. Raises InvalidInput for a point that
    is not there, Conflict when the project has a session of that id, NotFound when the source is gone.
    """
    name = uuid7() if session_id is None else storable_id(session_id, "/session_id")

    def fork() -> Fork:
        with transaction.atomic():
            source = Session.objects.select_related("workflow").filter(pk=session.pk).first()
            if source is None:
                raise NotFound
            point = _point(source, message, checkpoint)
            marks = {FORKED_FROM: source.session_id, AT_MESSAGE: message, AT_CHECKPOINT: checkpoint}
            target = _begun(source, name, marks, now)
            copied = _copy(source, target, point)
            done = Fork(target, source, point.version, copied)
            _audit(done, marks, caller, now)
            return done

    return retried(fork)


def _point(source: Session, message: int | None, checkpoint: int | None) -> Point:
    moment = None
    if checkpoint is not None:
        moment = SessionState.objects.filter(session=source, version=checkpoint).values_list("created_at").first()
        if moment is None:
            raise InvalidInput.at("/checkpoint", _("The session has no such checkpoint."))
    if message is not None:
        moment = Message.objects.filter(session=source, sequence=message).values_list("timestamp").first()
        if moment is None:
            raise InvalidInput.at("/message", _("The session has no message of this number."))
    at = moment[0] if moment else None
    version = checkpoint if checkpoint is not None else _version_at(source, at)
    return Point(_newest(source), message, at, version)


def _version_at(source: Session, moment: datetime | None) -> int | None:
    states = SessionState.objects.filter(session=source)
    if moment is not None:
        states = states.filter(created_at__lte=moment)
    version: int | None = states.aggregate(newest=Max("version"))["newest"]
    return version


def _newest(source: Session) -> dict[Any, int]:
    """Return the newest row of each kind, read at one moment.

    Within a session rows are stored one after the other, under its lock: none with a lower key comes later.
    """

    def newest(model: Any) -> Subquery:
        rows = model._default_manager.filter(session=OuterRef("pk")).order_by().values("session")
        return Subquery(rows.annotate(newest=Max("pk")).values("newest"))

    row = Session.objects.filter(pk=source.pk).values_list(*map(newest, COPIED)).get()
    return {model: pk or 0 for model, pk in zip(COPIED, row, strict=True)}


def _begun(source: Session, name: str, marks: dict[str, Any], now: datetime) -> Session:
    # What the source remembers of its own origin is not the fork's.
    source.metadata = {key: value for key, value in source.metadata.items() if key not in marks}
    stated = {key: value for key, value in marks.items() if value is not None}
    return session_copy(source=source, session_id=name, metadata=stated, now=now)


def _copy(source: Session, target: Session, point: Point) -> dict[str, int]:
    owner = Value(target.pk)
    copied = {
        "states": states_copy(source=source, target=target, version=point.version) if point.version else 0,
        "messages": rows_copied(point.rows(Message, source), session=owner),
        "tasks": rows_copied(point.rows(Task, source), session=owner),
        "subtasks": _copy_subtasks(source, target, point),
        "tool_calls": rows_copied(point.rows(ToolCall, source), session=owner, task=_twin(target)),
        "llm_calls": rows_copied(point.rows(LLMCall, source), session=owner, **_answers_up_to(point.moment)),
        "errors": rows_copied(point.rows(ErrorRecord, source), session=owner),
    }
    # In which order halves of calls came; what a note is about may have been left out, and then it tells nothing.
    notes = Arrival.objects.filter(session=source, record_type__in=["llm_request", "llm_response"]).order_by("pk")
    rows_copied(notes, session=owner)
    found = Message.objects.filter(session=target).aggregate(last=Max("sequence"), count=Count("pk"))
    activity_set(session=target, last_sequence=found["last"] or 0, message_count=found["count"])
    return copied


def _copy_subtasks(source: Session, target: Session, point: Point) -> int:
    tasks = point.rows(Task, source).order_by().values("pk")
    steps = Subtask.objects.filter(task__in=tasks).order_by("pk")
    return rows_copied(steps, task=_twin(target))


def _twin(target: Session) -> Subquery:
    """Return the key of the copied task, which has the record id of the one that a row belongs to."""
    return Subquery(Task.objects.filter(session=target.pk, record_id=OuterRef("task__record_id")).values("pk"))


def _answers_up_to(moment: datetime | None) -> dict[str, Any]:
    """Return what a call keeps of its response: all of it, or nothing where it came after the moment."""
    if moment is None:
        return {}
    given, meta = Q(responded_at__lte=moment), cast("Any", LLMCall._meta)
    return {name: Case(When(given, then=F(name)), output_field=meta.get_field(name).clone()) for name in _RESPONSE}


def _audit(done: Fork, marks: dict[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=done.session.project_id,
        caller=caller,
        action="session.fork",
        target_type="session",
        target_id=done.session.session_id,
        changes={**{name: value for name, value in marks.items() if value is not None}, "copied": done.copied},
        now=now,
    )
