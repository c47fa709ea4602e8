"""Merging: sums are added to the rows that there are, by key; rows that are not there yet are made."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from analytics_app.models.rollups import Grain, UsageSums
from analytics_app.selectors.usage_groups import SUMS, UsageGroup
from config.shared.fields import EXACT
from config.shared.pieces import in_pieces
from history_app.services.ingest.statements import insert_rows

Key = tuple[Any, ...]
VALUES_PER_STATEMENT = 500


def groups_merge(model: type[UsageSums], grain: Grain, groups: Iterable[UsageGroup]) -> None:
    """Add groups of hours to the rows of this model and grain, in the caller's transaction."""
    added = _totals(grain, groups)
    if not added:
        return
    stored = _stored(model, grain, added)
    for some in in_chunks([pk for pk, _sums in stored.values()]):
        model.objects.filter(pk__in=some).delete()
    rows = [(*key, grain.value, *_plus(sums, stored[key][1] if key in stored else None)) for key, sums in added.items()]
    insert_rows(model, ("project_id", "start", *model.NAMES, "grain", *SUMS), sorted(rows))


def _totals(grain: Grain, groups: Iterable[UsageGroup]) -> dict[Key, tuple[Any, ...]]:
    """Return the sums by project, period and what else the groups were made by."""
    totals: dict[Key, tuple[Any, ...]] = {}
    for group in groups:
        start = group.start.replace(hour=0) if grain == Grain.DAY else group.start
        key = (group.project_id, start, *group.names)
        totals[key] = _plus(group.sums, totals.get(key))
    return totals


def _plus(sums: tuple[Any, ...], others: tuple[Any, ...] | None) -> tuple[Any, ...]:
    if others is None:
        return sums
    pairs = zip(SUMS, sums, others, strict=True)
    return tuple(EXACT.add(one, other) if name == "cost" else one + other for name, one, other in pairs)


def _stored(model: type[UsageSums], grain: Grain, wanted: Mapping[Key, Any]) -> dict[Key, tuple[int, tuple[Any, ...]]]:
    """Return the rows that there are for these keys, by key: primary key and sums."""
    starts: defaultdict[int, set[datetime]] = defaultdict(set)
    for project, start, *_names in wanted:
        starts[project].add(start)
    found: dict[Key, tuple[int, tuple[Any, ...]]] = {}
    width = 2 + len(model.NAMES)
    for project, moments in starts.items():
        for some in in_chunks(sorted(moments)):
            rows = model.objects.filter(project_id=project, grain=grain, start__in=some)
            for pk, *values in rows.values_list("pk", "project_id", "start", *model.NAMES, *SUMS):
                key = tuple(values[:width])
                if key in wanted:
                    found[key] = (pk, tuple(values[width:]))
    return found


def in_chunks(values: list[Any]) -> Iterable[list[Any]]:
    """Return the values in lists, as many at once as a statement takes on every database."""
    return in_pieces(values, VALUES_PER_STATEMENT)
