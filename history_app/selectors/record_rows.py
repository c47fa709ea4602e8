"""Rows of facts read for being shown as records: documents as the JSON text that is stored, never parsed."""

import json
from collections.abc import Collection
from typing import Any

from django.db.models import ExpressionWrapper, F, Model, QuerySet, TextField
from django.db.models.functions import Substr

from config.shared.fields import JSONTextField
from history_app.models import LLMCall, Subtask, ToolCall
from history_app.selectors.beginnings import BEGINNING_CHARACTERS, is_cut, opening

Row = dict[str, Any]
# Left out of records: how rows hang together here.
_INSIDE = frozenset({"project", "session", "task"})
LARGE: dict[type[Model], tuple[str, ...]] = {
    ToolCall: ("tool_input", "tool_output"),
    LLMCall: ("messages", "parameters", "response"),
}
_STORED = "stored_"


def rows_read(model: type[Model], pks: Collection[int], *, whole: bool) -> dict[int, Row]:
    """Return rows by primary key, with each document as its JSON text, or None where it is empty.

    A tool call has its task's record id under `task`. Without `whole`, of large documents the first characters are
    read only: they are a JSON text then, and the row says `truncated`.
    """
    found = _values(model._default_manager.filter(pk__in=pks), whole=whole)
    return {row["id"]: _named(row, model, whole) for row in found}


def rows_in_order(rows: QuerySet[Any], *, unused: Collection[str] = ()) -> list[Row]:
    """Return ordered rows as `rows_read` does, whole but for the columns that are not used."""
    return [_named(row, rows.model, whole=True) for row in _values(rows, whole=True, unused=unused)]


def _values(rows: QuerySet[Any], *, whole: bool, unused: Collection[str] = ()) -> QuerySet[Any, Row]:
    model = rows.model
    fields = [field for field in model._meta.concrete_fields if field.name not in _INSIDE and field.name not in unused]
    documents = [field.name for field in fields if isinstance(field, JSONTextField)]
    cut = () if whole else LARGE.get(model, ())
    stored = {f"{_STORED}{name}": _text(name, cut=name in cut) for name in documents}
    if model is ToolCall:
        stored[f"{_STORED}task"] = F("task__record_id")
    if model is Subtask:
        stored[f"{_STORED}task"] = F("task_id")
    plain = [field.name for field in fields if field.name not in documents]
    found: QuerySet[Any, Row] = rows.values(*plain, **stored)
    return found


def _text(column: str, *, cut: bool) -> Any:
    text = TextField()
    return Substr(column, 1, BEGINNING_CHARACTERS + 1, output_field=text) if cut else ExpressionWrapper(F(column), text)


def _named(row: Row, model: type[Model], whole: bool) -> Row:
    named = {name.removeprefix(_STORED): value for name, value in row.items()}
    if not whole:
        for name in LARGE.get(model, ()):
            if is_cut(named[name]):
                named[name] = json.dumps(opening(named[name]), ensure_ascii=False)
                named["truncated"] = True
    return named
