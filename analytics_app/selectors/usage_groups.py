"""Facts of token usage grouped by hour or day: the same grouping for filling the roll-ups and for reading without."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Count, DateTimeField, Func, Q, QuerySet, Sum

from config.shared.fields import ExactSum
from history_app.selectors.record_types import COST_ALONE

TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
SUMS = ("uses", *TOKENS, "cost", "unpriced")
SUM_COLUMNS = tuple(f"summed_{name}" for name in SUMS)


class UsageGroup(NamedTuple):
    """The sums, in the order of SUMS, of what one project used in one hour or day under these names."""

    project_id: int
    start: datetime
    names: tuple[str, ...]
    sums: tuple[Any, ...]


def rollup_sums() -> dict[str, Any]:
    """Return the aggregates of roll-up rows, by the names in SUM_COLUMNS."""
    return {f"summed_{name}": ExactSum(name) if name == "cost" else Sum(name) for name in SUMS}


class UtcHour(Func):
    """The beginning of the hour of a time, in UTC."""

    output_field = DateTimeField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        # Times are text there; Django's own truncation would call Python for each row.
        return self.as_sql(compiler, connection, template="SUBSTR(%(expressions)s, 1, 13) || ':00:00'")

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="DATE_TRUNC('hour', %(expressions)s, 'UTC')")

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "CAST(DATE_FORMAT(%(expressions)s, '%%%%Y-%%%%m-%%%%d %%%%H:00:00') AS DATETIME(6))"
        return self.as_sql(compiler, connection, template=template)


def fact_sums() -> dict[str, Any]:
    """Return the aggregates of usage rows, by the names in SUM_COLUMNS.

    A cost that stands alone is no use of tokens: it adds its amount only.
    """
    used = ~COST_ALONE
    return {
        "summed_uses": Count("pk", filter=used),
        **{f"summed_{name}": Sum(name, filter=used) for name in TOKENS},
        "summed_cost": ExactSum("cost"),
        "summed_unpriced": Count("pk", filter=used & Q(cost__isnull=True)),
    }


def grouped_by_hour(rows: QuerySet[Any], names: tuple[str, ...]) -> list[UsageGroup]:
    """Return what usage rows add up to by project, hour (UTC) and these columns."""
    return [
        UsageGroup(project, hour, tuple(rest[: len(names)]), sums_of(rest[len(names) :]))
        for project, hour, *rest in by_hour(rows, names)
    ]


def by_hour(rows: QuerySet[Any], names: tuple[str, ...]) -> QuerySet[Any, tuple[Any, ...]]:
    """Return the query of `grouped_by_hour`: project, hour, the names, and the sums, NULL where there is nothing."""
    grouped = rows.order_by().annotate(hour=UtcHour("timestamp")).values("project_id", "hour", *names)
    found: QuerySet[Any, tuple[Any, ...]] = grouped.annotate(**fact_sums())
    return found.values_list("project_id", "hour", *names, *SUM_COLUMNS)


def sums_of(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return sums in the order of SUMS, with 0 for what had nothing to add."""
    return tuple(value if value is not None else NONE[name] for name, value in zip(SUMS, values, strict=True))


NONE: dict[str, Any] = {name: Decimal(0) if name == "cost" else 0 for name in SUMS}
