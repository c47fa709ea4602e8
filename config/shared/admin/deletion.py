"""What deleting rows takes with it: counted instead of listed, because a session may have a million facts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import CASCADE, PROTECT, Model
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from config.shared.admin.paginator import COUNTED_AT_MOST

LEVELS = 2


def deletion_summary(rows: Sequence[Model]) -> tuple[list[str], dict[str, Any], list[str]]:
    """Return the rows as texts, how many rows of each kind go with them, and what stands in the way.

    Each kind is counted up to COUNTED_AT_MOST; relations of relations are followed LEVELS deep.
    """
    model = type(rows[0])
    counts: Counter[str] = Counter({str(model._meta.verbose_name_plural): len(rows)})
    obstacles: list[str] = []
    for relation, count in _dependents(model, [row.pk for row in rows], LEVELS):
        name = str(relation.related_model._meta.verbose_name_plural)
        if relation.on_delete is PROTECT:
            obstacles.append(f"{capfirst(name)}: {_shown_count(count)}")
        else:
            counts[name] += count
    shown = {name: _shown_count(count) for name, count in counts.items()}
    return [f"{capfirst(row._meta.verbose_name)}: {row}" for row in rows], shown, obstacles


def _dependents(model: type[Model], pks: list[Any], levels: int, path: str = "") -> Iterator[tuple[Any, int]]:
    """Yield the relations that point at these rows, directly or through others, with how many rows do so."""
    for relation in model._meta.related_objects:
        if relation.many_to_many or relation.on_delete not in (CASCADE, PROTECT):
            continue
        way = f"{relation.field.name}__{path}" if path else relation.field.name
        related = relation.related_model._base_manager.filter(**{f"{way}__in": pks}).order_by()
        count = related[: COUNTED_AT_MOST + 1].count()
        if count:
            yield relation, count
            if levels > 1 and relation.on_delete is CASCADE:
                yield from _dependents(relation.related_model, pks, levels - 1, way)


def _shown_count(count: int) -> str:
    return _("more than %(count)s") % {"count": f"{COUNTED_AT_MOST:,}"} if count > COUNTED_AT_MOST else f"{count:,}"
