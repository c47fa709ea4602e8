"""Staff and operators put a recorded fact right, or remove it: always under the session's lock, always audited."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from config.shared.callers import Caller
from config.shared.errors import FieldError, InvalidInput
from config.shared.fields import JSONTextField
from config.shared.merging import merge_patch
from config.shared.text import Replaced
from history_app.models import Fact, LLMCall, Message, TokenUsage, ToolCall
from history_app.services.drafts import CostDraft, Draft, MeasuredDraft
from history_app.services.forms import fact_form, form_drafts
from history_app.services.ingest import facts, llm_calls, pairing, tasks, usage_rows
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.columns import Row
from history_app.services.ingest.results import SAME
from history_app.services.ingest.sessions import TakenSession
from history_app.services.search_index.filling import search_dirty_note
from sessions_app.models import SessionActivity
from sessions_app.services.staff_edits import row_delete, row_update

IDENTITY = ("session_id", "record_id")


@transaction.atomic
def fact_update(
    *,
    fact: Fact,
    changes: Mapping[str, Any],
    caller: Caller,
    now: datetime,
    replace: bool = False,
    replaced: Replaced | None = None,
) -> Any:
    """Change a stored fact, as the validator allows, and audit that; return it.

    `changes` are named as in api.md and merge into the fact (RFC 7396), or with `replace` state it anew. A fact keeps
    its session, its record id and, unless another is stated, its time; a message keeps its number. Raises InvalidInput.
    """
    _lock(fact)
    current = fact_form(fact)
    _check_identity(current, changes)
    kept = {name: current[name] for name in (*IDENTITY, "timestamp")}
    form = {**kept, **changes} if replace else merge_patch(current, changes)
    form.update({name: current[name] for name in IDENTITY})
    drafts = form_drafts(type(fact), form, now=now, replaced=replaced)
    changed = _set_columns(fact, _columns(fact, drafts))
    row_update(row=fact, changed=changed, caller=caller, now=now, project_id=fact.project_id)
    if changed:
        search_dirty_note(fact=fact)
    return fact


@transaction.atomic
def fact_delete(*, fact: Fact, caller: Caller, now: datetime) -> None:
    """Remove a stored fact and audit that. A session's message count follows; numbers are never given out again."""
    _lock(fact)
    session = fact.session_id
    row_delete(row=fact, caller=caller, now=now, project_id=fact.project_id)
    if isinstance(fact, Message):
        SessionActivity.objects.filter(pk=session, message_count__gt=0).update(message_count=F("message_count") - 1)


def _lock(fact: Fact) -> None:
    """Keep the bulk writer out: it merges responses and costs into rows under this lock."""
    list(SessionActivity.objects.select_for_update().filter(pk=fact.session_id))


def _check_identity(current: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    moved = [name for name in IDENTITY if changes.get(name, current[name]) != current[name]]
    if moved:
        raise InvalidInput([FieldError(f"/{name}", _("This cannot be changed.")) for name in moved])


def _columns(fact: Any, drafts: list[Draft]) -> dict[str, Any]:
    """Return the row that the drafts would have, by column."""
    session = TakenSession(pk=fact.session_id, user_id=fact.session.user_id)
    if isinstance(fact, LLMCall):
        call = llm_calls.Call(fact.session_id, fact.request_id)
        for draft in drafts:
            call.take(draft)
        call.request_id = call.request.request_id if call.request else fact.request_id
        return _named(llm_calls.COLUMNS, llm_calls.row_of(call, fact.project_id))
    if isinstance(fact, TokenUsage):
        return _usage_columns(fact, drafts[0], session)
    kind = facts.KINDS[type(drafts[0])]
    entry = Entry(0, drafts[0], session)
    if isinstance(fact, ToolCall):
        entry = _with_task(entry, fact)
    return _named(kind.columns, facts.row_of(kind, entry, fact.project_id))


def _named(columns: tuple[str, ...], row: Row) -> dict[str, Any]:
    return dict(zip(columns, row, strict=True))


def _with_task(entry: Entry, fact: Fact) -> Entry:
    batch = Batch(fact.project_id, fact.timestamp, [SAME])
    resolved = tasks.tasks_resolve([entry], batch)
    if not resolved:
        raise InvalidInput.at(batch.outcomes[0].pointer, batch.outcomes[0].reason)
    return resolved[0]


def _usage_columns(fact: TokenUsage, draft: Any, session: TakenSession) -> dict[str, Any]:
    """Return the usage's row, with the cost record that had joined it."""
    row = {column: _stored_value(fact, column) for column in ("id", *usage_rows.COLUMNS)}
    stored = usage_rows.use_of(row)
    if stored.usage is None:
        use = pairing.Use(fact.session_id, cost=_cost_draft(draft, stored.cost))
    elif stored.cost is None or draft.reported_cost in (None, stored.usage.reported_cost):
        use = pairing.Use(fact.session_id, usage=draft, cost=stored.cost)
    else:
        raise InvalidInput.at("/reported_cost", _("The cost of this usage was reported by a record of its own."))
    return _named(usage_rows.COLUMNS, usage_rows.row_of(use, fact.project_id, session.user_id))


def _cost_draft(draft: Any, stored: Any) -> CostDraft:
    """Return a changed cost that stands alone; `draft` is its row, taken for a use of tokens."""
    shared = {name: getattr(draft, name) for name in MeasuredDraft.__struct_fields__}
    return CostDraft(**{**shared, "record_id": stored.record_id, "total_cost": draft.reported_cost})


def _stored_value(fact: Any, column: str) -> Any:
    field = fact._meta.get_field(column)
    value = getattr(fact, field.attname)
    return field.get_prep_value(value) if isinstance(field, JSONTextField) else value


def _set_columns(fact: Any, columns: Mapping[str, Any]) -> list[str]:
    """Put the values on the row and return the names of the fields that differ now."""
    changed = []
    for field in fact._meta.concrete_fields:
        if field.column not in columns:
            continue
        value = columns[field.column]
        if isinstance(field, JSONTextField):
            value = field.get_default() if value is None else json.loads(value)
        if getattr(fact, field.attname) != value:
            setattr(fact, field.attname, value)
            changed.append(field.name)
    return changed
