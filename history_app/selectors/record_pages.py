"""All records of one session, read in pages by key: nothing stays open in the database between two pages.

The order is by type, then by the number of messages and by the record id of the others, which unique indexes serve:
page 10,000 costs as much as page 1. It depends on what was recorded only, and not on when it was stored.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db.models import F, Func, IntegerField, Model, QuerySet, TextField, Value
from django.db.models.functions import Coalesce

from config.shared.errors import NotFound
from history_app.models import Subtask, Task
from history_app.selectors.record_forms import Record, record_of
from history_app.selectors.record_rows import Row, rows_in_order
from history_app.selectors.record_types import RECORD_TYPES, RecordType
from sessions_app.models import Session

PAGE_RECORDS = 500
PAGE_BYTES = 2 << 20
TASKS = RecordType("task", -1, Task, time="created_at")
EXPORTED = (TASKS, *RECORD_TYPES)
# By what a type is read in order: a key that stays with the record when its row changes or joins another.
_KEYS = {"message": "sequence", "llm_response": "response_record_id", "cost": "cost_record_id"}
# Columns that the other half of a row fills.
_UNUSED = {
    "llm_request": ("response", "token_usage", "response_metadata"),
    "llm_response": ("messages", "parameters", "metadata"),
}


class StoredBytes(Func):
    """How long a text is, without reading it where the database can; in characters on SQLite."""

    function = "OCTET_LENGTH"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="LENGTH", **extra)


def record_pages(session: Session, kind: RecordType) -> Iterator[list[Record]]:
    """Yield the session's records of a type in pages of bounded number and size.

    Every record that is stored when the first page is read, and not removed since, is there once; records that come
    later are there where their key is not beyond the last one that there was at the beginning.
    """
    key, rows = _KEYS.get(kind.name, "record_id"), kind.rows(session).order_by()
    last = rows.order_by(f"-{key}").values_list(key, flat=True).first()
    after: Any = None
    while last is not None and after != last:
        rest = rows.filter(**{f"{key}__lte": last})
        rest = rest if after is None else rest.filter(**{f"{key}__gt": after})
        end = _page_end(rest.order_by(key), key, _UNUSED.get(kind.name, ()))
        if end is None:
            return
        page = rows_in_order(rest.filter(**{f"{key}__lte": end}).order_by(key), unused=_UNUSED.get(kind.name, ()))
        # Rows may have been removed since their keys were read.
        if page:
            yield [record_of(kind.name, row, session.session_id) for row in _completed(kind.model, page)]
        after = end


def check_there(session: Session) -> None:
    """Raise NotFound when the session has been removed: what was read of it is not all that there was."""
    if not Session.objects.filter(pk=session.pk).exists():
        raise NotFound


def _page_end(rest: QuerySet[Any], key: str, unused: tuple[str, ...]) -> Any:
    """Return the key of the last record that a page still holds, None where none is left. One record always fits."""
    size, end = 0, None
    for place, stored in rest.annotate(stored_size=_size(rest.model, unused)).values_list(key, "stored_size")[
        :PAGE_RECORDS
    ]:
        size += stored
        if end is not None and size > PAGE_BYTES:
            break
        end = place
    return end


def _size(model: type[Model], unused: tuple[str, ...]) -> Any:
    texts = [field for field in model._meta.concrete_fields if isinstance(field, TextField)]
    size: Any = Value(0)
    for field in texts:
        if field.name not in unused:
            size = size + Coalesce(StoredBytes(F(field.name)), 0)
    return size


def _completed(model: type[Model], rows: list[Row]) -> list[Row]:
    """Return tasks with their steps, and other rows as they are."""
    if model is not Task:
        return rows
    steps: defaultdict[int, list[Row]] = defaultdict(list)
    of_tasks = Subtask.objects.filter(task__in=[row["id"] for row in rows])
    for step in rows_in_order(of_tasks.order_by("task_id", "subtask_index")):
        steps[step["task"]].append(step)
    return [{**row, "subtasks": steps[row["id"]]} for row in rows]
