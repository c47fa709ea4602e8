"""Adding uses to all roll-ups by one statement: PostgreSQL reads the facts once, and nothing travels to Python."""

# Every name that is put into the statement comes from a model or from this package; values are parameters.
# ruff: noqa: S608

from django.db import connection
from django.db.models import QuerySet

from analytics_app.models.rollups import ROLLUPS, Grain, UsageSums
from analytics_app.selectors.usage_groups import SUMS, by_hour
from history_app.models import TokenUsage

_NAMES = tuple(dict.fromkeys(name for model in ROLLUPS for name in model.NAMES))
# The planner does not know how few hours there are: left alone, it sorts all facts, on the disk.
_HASHED = (
    "SELECT set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true), "
    "set_config('work_mem', '32MB', true)"
)
_AS_BEFORE = "".join(
    f"SET LOCAL {name} TO DEFAULT; " for name in ("enable_sort", "enable_incremental_sort", "work_mem")
)
# A sum of whole numbers is NUMERIC, which is slow to add up once more.
_SUMMED = ", ".join("SUM(cost) AS cost" if name == "cost" else f"SUM({name})::bigint AS {name}" for name in SUMS)
_WHOLE = ", ".join(f"COALESCE({name}, 0)::{'numeric' if name == 'cost' else 'bigint'} AS {name}" for name in SUMS)


def uses_add(rows: QuerySet[TokenUsage]) -> None:
    """Add these uses to the rows of every roll-up and grain, in the caller's transaction."""
    facts, parameters = by_hour(rows, _NAMES).query.sql_with_params()
    names = ", ".join(("project_id", "start", *_NAMES))
    read = f"SELECT {names}, {_WHOLE} FROM ({facts}) AS grouped ({names}, {', '.join(SUMS)})"
    parts = [f"facts ({names}, {', '.join(SUMS)}) AS MATERIALIZED ({read})"]
    for model in ROLLUPS:
        parts += _parts(model)
    with connection.cursor() as cursor:
        cursor.execute(_HASHED)
        cursor.execute(f"WITH {', '.join(parts)} SELECT", parameters)
        cursor.execute(_AS_BEFORE)


def _parts(model: type[UsageSums]) -> list[str]:
    """Return the parts of the statement that sum the facts up by hour, these by day, and add both to the roll-up."""
    table, names = model._meta.db_table, ", ".join(model.NAMES)
    hours, days = f"{table}_hours", f"{table}_days"
    daily = f"SELECT project_id, DATE_TRUNC('day', start, 'UTC') AS start, {names}, {_SUMMED} FROM {hours}"
    return [
        f"{hours} AS MATERIALIZED (SELECT project_id, start, {names}, {_SUMMED} FROM facts GROUP BY 1, 2, {names})",
        f"{hours}_added AS ({_added(model, Grain.HOUR, hours)})",
        f"{days} AS ({daily} GROUP BY 1, 2, {names})",
        f"{days}_added AS ({_added(model, Grain.DAY, days)})",
    ]


def _added(model: type[UsageSums], grain: Grain, source: str) -> str:
    names, sums = ", ".join(("start", *model.NAMES)), ", ".join(SUMS)
    more = ", ".join(f"{name} = rolled.{name} + EXCLUDED.{name}" for name in SUMS)
    return (
        f"INSERT INTO {model._meta.db_table} AS rolled (project_id, grain, {names}, {sums}) "
        f"SELECT project_id, '{grain.value}', {names}, {sums} FROM {source} "
        f"ON CONFLICT (project_id, grain, {names}) DO UPDATE SET {more}"
    )
