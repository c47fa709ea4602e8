"""What a check is, and what it finds; how a table of any size is walked through."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (`place` is for people, `pk` for the repair) and how."""

    project_id: int | None
    place: str
    detail: str
    pk: Any = None


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of fault.

    `find(now)` yields what is wrong, reading by ranges of keys. `repair(finding, now)` puts one finding right in a
    transaction of its own that looks again first, and returns what it changed by name, or None when there was nothing
    left to change; a check without it can only tell. What is no fault (`is_fault`) but worth knowing is only noted.
    """

    code: str
    find: Callable[[datetime], Iterator[Finding]]
    repair: Callable[[Finding, datetime], dict[str, Any] | None] | None = None
    is_fault: bool = True


def in_ranges(
    model: type[Model], rows: QuerySet[Any] | None = None, size: int = ROWS_AT_ONCE
) -> Iterator[QuerySet[Any]]:
    """Yield the rows of a table (or `rows` of it), `size` keys of the table at a time."""
    everything = model._base_manager.all()
    wanted = everything if rows is None else rows
    after: Any = None
    while True:
        rest = everything.order_by("pk") if after is None else everything.filter(pk__gt=after).order_by("pk")
        keys = list(rest.values_list("pk", flat=True)[:size])
        if not keys:
            return
        part = wanted.filter(pk__lte=keys[-1])
        yield (part if after is None else part.filter(pk__gt=after)).order_by("pk")
        after = keys[-1]
