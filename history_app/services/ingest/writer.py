"""The one way into history: a batch of drafts, of any kinds and sessions, in one transaction."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from config.shared.retries import retried
from history_app.services import drafts as kinds
from history_app.services.drafts import Draft
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.facts import KINDS, facts_write
from history_app.services.ingest.llm_calls import llm_calls_write
from history_app.services.ingest.results import NEW, SAME, BatchRefused, Outcome, OutcomeKind, WriteResult
from history_app.services.ingest.sessions import TakenSession, sessions_advance, sessions_take
from history_app.services.ingest.singles import single_write
from history_app.services.ingest.tasks import tasks_resolve
from history_app.services.ingest.usage import usage_write
from history_app.services.ingest.work import tasks_write

REFUSALS = (OutcomeKind.CONFLICT, OutcomeKind.REJECTED)
UNKNOWN_SESSION = Outcome(OutcomeKind.REJECTED, "/session_id", "There is no such session.")


def records_write(
    *,
    project_id: int,
    drafts: Sequence[Draft],
    now: datetime,
    create_sessions: bool = True,
    all_or_none: bool = False,
) -> WriteResult:
    """Store records of any kinds and sessions in one transaction, and say of each what became of it.

    A record whose `record_id` is stored in its session already is never stored twice: it is `same`, or `conflict`
    where its content is another one, and the stored one stays. Messages are numbered within their sessions in the
    order of the drafts, without gaps. Unknown sessions are created, or their records rejected when `create_sessions`
    is False. LLM responses join their requests, and costs the token usage beside them, whichever comes first.
    `now` is the moment of recording. Raises Unavailable when other writers stood in the way of every attempt, and with
    `all_or_none` BatchRefused when one of the records is a conflict or rejected.
    """

    if len(drafts) == 1:
        single = single_write(project_id=project_id, draft=drafts[0], now=now)
        if single is not None:
            return WriteResult([NEW], {drafts[0].session_id: single.session_pk}, single)

    def write() -> WriteResult:
        with transaction.atomic():
            result = batch_write(project_id=project_id, drafts=drafts, now=now, create_sessions=create_sessions)
            if all_or_none and any(outcome.kind in REFUSALS for outcome in result.outcomes):
                raise BatchRefused(result.outcomes)
            return result

    return retried(write)


def batch_write(
    *, project_id: int, drafts: Sequence[Draft], now: datetime, create_sessions: bool = True
) -> WriteResult:
    """Store records as `records_write` does, as one part of a transaction that the caller has begun and repeats."""
    taken = sessions_take(project_id=project_id, drafts=drafts, now=now, create_sessions=create_sessions)
    batch = Batch(project_id, now, [SAME] * len(drafts))
    by_type = _sorted(drafts, taken, batch)
    tasks_write(by_type[kinds.TaskDraft], batch)
    for type_, kind in KINDS.items():
        if entries := by_type[type_]:
            facts_write(kind, tasks_resolve(entries, batch) if type_ is kinds.ToolCallDraft else entries, batch)
    llm_calls_write(by_type[kinds.LLMRequestDraft], by_type[kinds.LLMResponseDraft], batch)
    usage_write(by_type[kinds.TokenUsageDraft], by_type[kinds.CostDraft], batch)
    sessions_advance(sessions=taken.values(), now=now)
    return WriteResult(batch.outcomes, {name: session.pk for name, session in taken.items()})


def _sorted(
    drafts: Sequence[Draft], taken: dict[str, TakenSession], batch: Batch
) -> defaultdict[type[Draft], list[Entry]]:
    """Return the entries by the type of their drafts; drafts without a session are settled as rejected."""
    by_type: defaultdict[type[Draft], list[Entry]] = defaultdict(list)
    for index, draft in enumerate(drafts):
        session = taken.get(draft.session_id)
        if session is None:
            batch.outcomes[index] = UNKNOWN_SESSION
        else:
            by_type[type(draft)].append(Entry(index, draft, session))
    return by_type
