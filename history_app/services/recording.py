"""Recording from Python: any records, one fact, or one session's messages; sync, and async for a running loop."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection
from django.utils.translation import gettext as _

from config.shared.errors import FieldError, InvalidInput
from config.shared.text import Replaced
from history_app.models import ErrorRecord, Fact, LLMCall, Message, Metric, TokenUsage, ToolCall
from history_app.services.drafts import Draft
from history_app.services.forms import form_drafts
from history_app.services.ingest import BatchRefused, OutcomeKind, WriteResult, records_write
from history_app.services.intake import RECORDS_PER_BATCH, Intake, read_record, records_take
from history_app.services.records import record_parse
from history_app.services.refusals import refusal_of

Result = TypeVar("Result")
Fields = Mapping[str, Any]


def record(
    *, project_id: int, fields: Fields, now: datetime, create_session: bool = True, replaced: Replaced | None = None
) -> bool:
    """Store one record of any `record_type`, named as in api.md, and return whether it is new.

    The same record again, by its `record_id`, is not stored twice. Its session is created where it is not there.
    Raises InvalidInput and TooLarge as the validator does, Conflict when another record is stored under the id, and
    Unavailable when other writers stood in the way.
    """
    draft = record_parse(fields, now=now, replaced=replaced)
    result = _written(project_id, [draft], now, pointers=[""], create_sessions=create_session)
    return result.count(OutcomeKind.NEW) > 0


def record_many(
    *,
    project_id: int,
    records: Iterable[Fields],
    now: datetime,
    create_sessions: bool = True,
    all_or_none: bool = False,
    replaced: Replaced | None = None,
) -> Intake:
    """Store records of any kinds and sessions in one transaction, and say what became of each; see `records_take`.

    All of them are read first: a generator may be given, and a bad record leaves the others alone. Raises
    DeliveryRefused with `all_or_none` when one of them cannot be stored, and Unavailable as `record` does.
    """
    counted = Replaced() if replaced is None else replaced
    read = [read_record(fields, now=now, replaced=counted) for fields in records]
    return records_take(
        project_id=project_id,
        batches=lambda: (read[start : start + RECORDS_PER_BATCH] for start in range(0, len(read), RECORDS_PER_BATCH)),
        now=now,
        create_sessions=create_sessions,
        all_or_none=all_or_none,
    )


async def arecord(
    *, project_id: int, fields: Fields, now: datetime, create_session: bool = True, replaced: Replaced | None = None
) -> bool:
    """Do as `record` from a running event loop.

    Like all of Django's own async calls it runs in the one thread that `sync_to_async` keeps for the loop's code (for
    the request's, in an ASGI server), so that it shares the connection with them. Calls made at once therefore wait
    for each other: `arecord_many` stores a list in the time of a few.
    """
    return await sync_to_async(_alone(record))(
        project_id=project_id, fields=fields, now=now, create_session=create_session, replaced=replaced
    )


async def arecord_many(
    *,
    project_id: int,
    records: Iterable[Fields],
    now: datetime,
    create_sessions: bool = True,
    all_or_none: bool = False,
    replaced: Replaced | None = None,
) -> Intake:
    """Do as `record_many` from a running event loop; see `arecord`."""
    return await sync_to_async(_alone(record_many))(
        project_id=project_id,
        records=records,
        now=now,
        create_sessions=create_sessions,
        all_or_none=all_or_none,
        replaced=replaced,
    )


def _alone(service: Callable[..., Result]) -> Callable[..., Result]:
    """Return the service as a call outside of requests: a connection that has died or is too old is left first."""

    def call(**arguments: Any) -> Result:
        if not connection.in_atomic_block:
            close_old_connections()
        return service(**arguments)

    return call


def message_append(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[Message, bool]:
    """Append one message to its session and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=Message, project_id=project_id, fields=fields, now=now, replaced=replaced)


def tool_call_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[ToolCall, bool]:
    """Store one tool call and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=ToolCall, project_id=project_id, fields=fields, now=now, replaced=replaced)


def llm_call_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[LLMCall, bool]:
    """Store one LLM call, with its response where there is one, and return it. See `fact_record`."""
    return fact_record(model=LLMCall, project_id=project_id, fields=fields, now=now, replaced=replaced)


def token_usage_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[TokenUsage, bool]:
    """Store one use of tokens and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=TokenUsage, project_id=project_id, fields=fields, now=now, replaced=replaced)


def error_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[ErrorRecord, bool]:
    """Store one error and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=ErrorRecord, project_id=project_id, fields=fields, now=now, replaced=replaced)


def metric_save(
    *, project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[Metric, bool]:
    """Store one metric and return it, and whether it is new. See `fact_record`."""
    return fact_record(model=Metric, project_id=project_id, fields=fields, now=now, replaced=replaced)


def fact_record(
    *, model: type[Fact], project_id: int, fields: Fields, now: datetime, replaced: Replaced | None = None
) -> tuple[Any, bool]:
    """Store one fact whose `fields` are named as in api.md, and return it, and whether it is new.

    The session must be there. The same record again is not stored twice: the stored one comes back. Raises
    InvalidInput and TooLarge as the validator does, and Conflict when another record is stored under the id.
    """
    drafts = form_drafts(model, fields, now=now, replaced=replaced)
    return drafts_record(model=model, project_id=project_id, drafts=drafts, now=now)


def drafts_record(*, model: type[Fact], project_id: int, drafts: Sequence[Draft], now: datetime) -> tuple[Any, bool]:
    """Store the drafts of one fact, which have passed the validator, as `fact_record` does."""
    result = _written(project_id, drafts, now, pointers=[""] * len(drafts))
    fact = _rows(model, drafts[:1], result)[0]
    return fact, result.count(OutcomeKind.NEW) > 0


def messages_append(
    *,
    project_id: int,
    session_id: str,
    messages: Sequence[Fields],
    now: datetime,
    replaced: Replaced | None = None,
) -> list[Message]:
    """Append messages to one session in their order, all or none, and return them.

    Raises as `fact_record` does; the pointers begin with the message's place in the list.
    """
    drafts: list[Draft] = []
    errors: list[FieldError] = []
    for place, fields in enumerate(messages):
        try:
            if not isinstance(fields, Mapping):
                raise InvalidInput.at("", _("A message is a JSON object."))
            stated = {**fields, "session_id": session_id}
            drafts += form_drafts(Message, stated, now=now, replaced=replaced)
        except InvalidInput as error:
            errors += [FieldError(f"/{place}{fault.pointer}", fault.detail) for fault in error.errors]
    if errors:
        raise InvalidInput(errors)
    result = _written(project_id, drafts, now, pointers=[f"/{place}" for place in range(len(drafts))])
    return _rows(Message, drafts, result)


def _written(
    project_id: int, drafts: Sequence[Draft], now: datetime, pointers: Sequence[str], *, create_sessions: bool = False
) -> WriteResult:
    """Write drafts, all or none."""
    try:
        return records_write(
            project_id=project_id, drafts=drafts, now=now, create_sessions=create_sessions, all_or_none=True
        )
    except BatchRefused as refused:
        raise (refusal_of(refused.outcomes, pointers) or refused) from refused


def _rows(model: type[Fact], drafts: Sequence[Draft], result: WriteResult) -> list[Any]:
    """Return the stored rows of drafts of one session, in the drafts' order."""
    if not drafts:
        return []
    if result.single is not None:
        return [result.single.row()]
    rows = model.objects.filter(session_id=result.session_pks[drafts[0].session_id]).select_related("session")
    found = {row.record_id: row for row in rows.filter(record_id__in=[draft.record_id for draft in drafts])}
    return [found[draft.record_id] for draft in drafts]
