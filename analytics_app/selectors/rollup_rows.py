"""Rolled-up days, and what the roll-ups are worth, by SQL of our own: the ORM takes twice as long to hand over rows."""

# Every name that is put into a statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from analytics_app.models import RollupState, UsageChange
from analytics_app.models.rollups import Grain, UsageSums
from analytics_app.selectors.periods import HOUR, Span
from config.shared.fields import EXACT
from config.shared.plain_rows import fetched, marks, moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATE, _CHANGES = RollupState._meta.db_table, UsageChange._meta.db_table


@dataclass(frozen=True, slots=True)
class RollupMoment:
    """What the roll-ups are worth at one moment: how far they go, and in which hours they do not hold."""

    version: int
    watermark: int
    changed: frozenset[datetime]


def rollup_moment(projects: Collection[int] | None, bounds: Sequence[datetime]) -> RollupMoment:
    """Return what the roll-ups of these projects are worth now, between the first and the last bound."""
    where, parameters = _of_projects(projects)
    statement = (
        f"SELECT s.version, s.watermark, c.hour FROM "
        f"(SELECT COALESCE(MAX(version), 0) AS version, COALESCE(MAX(watermark), 0) AS watermark "
        f"FROM {_STATE} WHERE name = 'usage') s "
        f"LEFT JOIN (SELECT DISTINCT hour FROM {_CHANGES} WHERE {where}hour > %s AND hour < %s) c ON 1 = 1"
    )
    rows = fetched(statement, [*parameters, _time(bounds[0] - HOUR), _time(bounds[-1])])
    version, watermark, _hour = rows[0]
    return RollupMoment(version, watermark, frozenset(moment(hour) for *_state, hour in rows if hour is not None))


def rolled_days(
    model: type[UsageSums],
    *,
    projects: Collection[int] | None,
    spans: Sequence[Span],
    names: Sequence[str],
    sums: Sequence[str],
) -> Iterator[tuple[datetime, tuple[Any, ...], list[Any]]]:
    """Yield day, names and sums of the days within the spans."""
    where, parameters = _of_projects(projects)
    within = " OR ".join(["(start >= %s AND start < %s)"] * len(spans))
    columns = "".join(f", {name}" for name in names)
    statement = (
        f"SELECT {_day()}{columns}, {', '.join(map(_sum, sums))} FROM {model._meta.db_table} "
        f"WHERE {where}grain = '{Grain.DAY.value}' AND ({within}) GROUP BY start{columns}"
    )
    width = 1 + len(names)
    days: dict[Any, datetime] = {}
    for row in fetched(statement, [*parameters, *(_time(end) for span in spans for end in span)]):
        told = row[0]
        if told not in days:
            days[told] = _EPOCH + timedelta(days=told) if isinstance(told, int) else moment(told)
        yield days[told], row[1:width], [v if isinstance(v, int) else _amount(v) for v in row[width:]]


def _amount(value: Any) -> Decimal:
    """Return an amount, which SQLite gives as text, without the zeros behind it."""
    return EXACT.normalize(Decimal(value))


def _day() -> str:
    """Return the day as it is read soonest: psycopg takes longer for a time than for the rest of a row."""
    return "(start AT TIME ZONE 'UTC')::date - DATE '1970-01-01'" if connection.vendor == "postgresql" else "start"


def _sum(name: str) -> str:
    if name == "cost":
        return "EXACT_SUM(cost)" if connection.vendor == "sqlite" else "SUM(cost)"
    # A sum of whole numbers is a NUMERIC or DECIMAL elsewhere.
    return {"sqlite": f"SUM({name})", "mysql": f"CAST(SUM({name}) AS SIGNED)"}.get(
        connection.vendor, f"SUM({name})::bigint"
    )


def _of_projects(projects: Collection[int] | None) -> tuple[str, list[int]]:
    """Return the condition, with what joins it to the next one, and its parameters."""
    if projects is None:
        return "", []
    return (f"project_id IN ({marks(list(projects))}) AND " if projects else "1 = 0 AND "), list(projects)


def _time(value: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)
