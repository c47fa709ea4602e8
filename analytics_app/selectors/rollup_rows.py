"""Rows of roll-ups, and what the roll-ups are worth, by SQL of our own: the ORM takes twice as long."""

# Every name that is put into a statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

from django.db import connection

from analytics_app.models import RollupState, UsageChange
from analytics_app.models.rollups import Grain, UsageSums
from analytics_app.selectors.periods import HOUR, Span
from analytics_app.selectors.usage_groups import NONE
from config.shared.fields import EXACT
from config.shared.plain_rows import fetched, marks, moment
from history_app.models import TokenUsage

# The place of a period, the names, and the sums in the order in which they are wanted.
Group = tuple[int, tuple[str, ...], list[Any]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATE, _CHANGES = RollupState._meta.db_table, UsageChange._meta.db_table
_USES = TokenUsage._meta.db_table


@dataclass(frozen=True, slots=True)
class RollupMoment:
    """What the roll-ups are worth at one moment: how far they go, and in which hours they do not hold."""

    version: int
    watermark: int
    changed: frozenset[datetime]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sums of which projects (None for all), by which of the roll-up's names."""

    model: type[UsageSums]
    projects: Collection[int] | None
    names: tuple[str, ...]
    sums: tuple[str, ...]

    @property
    def columns(self) -> str:
        """The names as a statement goes on with them."""
        return "".join(f", {name}" for name in self.names)

    def group(self, place: int, values: Sequence[Any]) -> Group:
        """Return names and sums of a row; what had nothing to add is 0."""
        width = len(self.names)
        summed = [
            NONE[name] if value is None else _amount(value) if name == "cost" else int(value)
            for name, value in zip(self.sums, values[width:], strict=True)
        ]
        return place, tuple(values[:width]), summed


def rollup_moment(projects: Collection[int] | None, bounds: Sequence[datetime]) -> RollupMoment:
    """Return what the roll-ups of these projects are worth now, between the first and the last bound."""
    where, parameters = _of_projects(projects)
    statement = (
        f"SELECT s.version, s.watermark, c.hour FROM "
        f"(SELECT COALESCE(MAX(version), 0) AS version, COALESCE(MAX(watermark), 0) AS watermark "
        f"FROM {_STATE} WHERE name = 'usage') s "
        f"LEFT JOIN (SELECT DISTINCT hour FROM {_CHANGES} WHERE {where}hour > %s AND hour < %s) c ON 1 = 1"
    )
    rows = fetched(statement, [*parameters, db_time(bounds[0] - HOUR), db_time(bounds[-1])])
    version, watermark, _hour = rows[0]
    return RollupMoment(version, watermark, frozenset(moment(hour) for *_state, hour in rows if hour is not None))


def rolled_days(wanted: Wanted, spans: Sequence[Span], bounds: Sequence[datetime]) -> Iterator[Group]:
    """Yield what the days within the spans add up to, by the period between the bounds that each lies in.

    Python finds the period: for a few hundred days this takes less than a join. A group may come in several parts.
    """
    where, parameters = _of_projects(wanted.projects)
    within = " OR ".join(["(start >= %s AND start < %s)"] * len(spans))
    # One project has hardly more rows than groups: to group them would take longer than to read them.
    is_grouped = not wanted.names or wanted.projects is None or len(wanted.projects) > 1
    sums = map(_sum, wanted.sums) if is_grouped else wanted.sums
    statement = (
        f"SELECT {_day()}{wanted.columns}, {', '.join(sums)} FROM {wanted.model._meta.db_table} "
        f"WHERE {where}grain = '{Grain.DAY.value}' AND ({within})"
        + (f" GROUP BY start{wanted.columns}" if is_grouped else "")
    )
    width, cost = 1 + len(wanted.names), wanted.sums.index("cost") if "cost" in wanted.sums else None
    places: dict[Any, int] = {}
    for row in fetched(statement, [*parameters, *(db_time(end) for span in spans for end in span)]):
        day, summed = row[0], list(row[width:])
        if day not in places:
            start = _EPOCH + timedelta(days=day) if isinstance(day, int) else moment(day)
            places[day] = bisect_right(bounds, start) - 1
        if cost is not None:
            summed[cost] = _amount(summed[cost])
        yield places[day], row[1:width], summed


def _amount(value: Any) -> Decimal:
    """Return an amount without the zeros behind it. SQLite gives one as text, and the parts of a sum in one text."""
    if not isinstance(value, str):
        return EXACT.normalize(value)
    return EXACT.normalize(reduce(EXACT.add, map(Decimal, value.split(",")))) if "," in value else Decimal(value)


def _day() -> str:
    """Return the day as it is read soonest: drivers take longer to make a time than for the rest of a row."""
    return {
        "postgresql": "(start AT TIME ZONE 'UTC')::date - DATE '1970-01-01'",
        "sqlite": "start || ''",
    }.get(connection.vendor, "start")


def _sum(name: str) -> str:
    if name == "cost":
        # Python adds up the parts that SQLite collects: an aggregate of its own would be called for every row.
        return "GROUP_CONCAT(cost)" if connection.vendor == "sqlite" else "SUM(cost)"
    # A sum of whole numbers is a NUMERIC or DECIMAL elsewhere.
    return {"sqlite": f"SUM({name})", "mysql": f"CAST(SUM({name}) AS SIGNED)"}.get(
        connection.vendor, f"SUM({name})::bigint"
    )


def _of_projects(projects: Collection[int] | None) -> tuple[str, list[int]]:
    """Return the condition, with what joins it to the next one, and its parameters."""
    if projects is None:
        return "", []
    return (f"project_id IN ({marks(list(projects))}) AND " if projects else "1 = 0 AND "), list(projects)


def db_time(value: datetime) -> Any:
    """Return a moment as the database's driver takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def tail_ends(watermark: int) -> Span | None:
    """Return the earliest and the latest time of the uses behind the watermark, or None where there are none."""
    first, last = fetched(f"SELECT MIN(timestamp), MAX(timestamp) FROM {_USES} WHERE id > %s", [watermark])[0]
    return None if first is None else (moment(first), moment(last))
