"""Rows by the period that their time lies in, added up: whichever way the database at hand finds them soonest."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from analytics_app.selectors.buckets import bucket
from analytics_app.selectors.periods import Span
from analytics_app.selectors.rollup_rows import Group, Wanted, db_time
from config.shared.plain_rows import fetched


class Placed(NamedTuple):
    """Rows with their `place`, and what their statement begins with, with its parameters."""

    rows: QuerySet[Any]
    head: str = ""
    parameters: Sequence[Any] = ()


def placed(rows: QuerySet[Any], column: str, spans: Sequence[Span], bounds: Sequence[datetime]) -> Placed:
    """Return those of the rows whose time lies within the spans, with the place of its period between the bounds.

    Servers take the spans as alternatives of one condition. SQLite would read every row of a project for them, and
    finds a thousand of them too deep an expression: there, the pieces are a table, and each is looked up in the index.
    """
    if connection.vendor != "sqlite":
        return Placed(rows.filter(_within(column, spans)).annotate(place=place_within(column, spans, bounds)))
    pieces = list(_pieces(spans, bounds))
    marks = ", ".join(["(%s, %s, %s)"] * len(pieces))
    time = f"{rows.model._meta.db_table}.{column}"
    # The ORM joins no table that only the statement knows.
    joined = rows.extra(tables=["pieces"], where=[f"{time} >= since AND {time} < until"])  # noqa: S610 (own names)
    return Placed(
        joined.annotate(place=RawSQL("pieces.place", ())),
        f"WITH pieces (place, since, until) AS (VALUES {marks}) ",
        [value for place, since, until in pieces for value in (place, db_time(since), db_time(until))],
    )


def place_within(column: str, spans: Sequence[Span], bounds: Sequence[datetime]) -> Any:
    """Return the period of a time within the spans: only the bounds between their ends are told apart."""
    first = max(bisect_right(bounds, spans[0][0]) - 1, 0)
    last = min(bisect_right(bounds, spans[-1][1]), len(bounds) - 1)
    return bucket(column, bounds[first : last + 1], first)


def groups_of(wanted: Wanted, found: Placed, sums: dict[str, Any]) -> Iterator[Group]:
    """Yield what placed rows add up to, by their place and the wanted names; `sums` are aggregates by column."""
    columns = {column: sums[column] for column in (f"summed_{name}" for name in wanted.sums)}
    grouped = found.rows.order_by().values("place", *wanted.names).annotate(**columns)
    statement, parameters = grouped.values_list("place", *wanted.names, *columns).query.sql_with_params()
    for place, *values in fetched(found.head + statement, [*found.parameters, *parameters]):
        yield wanted.group(place, values)


def _pieces(spans: Sequence[Span], bounds: Sequence[datetime]) -> Iterator[tuple[int, datetime, datetime]]:
    """Yield the spans cut where one period ends and the next begins: place, start, end."""
    for start, end in spans:
        place, since = bisect_right(bounds, start) - 1, start
        while since < end:
            until = min(end, bounds[place + 1])
            yield place, since, until
            place, since = place + 1, until


def _within(column: str, spans: Sequence[Span]) -> Q:
    condition = Q()
    for start, end in spans:
        condition |= Q(**{f"{column}__gte": start, f"{column}__lt": end})
    return condition
