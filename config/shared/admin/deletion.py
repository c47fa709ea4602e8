"""What deleting rows takes with it: counted instead of listed, because a session may have a million facts."""

from collections import Counter
from collections.abc import Sequence
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
    _follow(model, "", [row.pk for row in rows], counts, obstacles, LEVELS)
    shown = {name: _shown_count(count) for name, count in counts.items() if count}
    return [f"{capfirst(row._meta.verbose_name)}: {row}" for row in rows], shown, obstacles


def _follow(
    model: type[Model], path: str, pks: list[Any], counts: Counter[str], obstacles: list[str], levels: int
) -> None:
    for relation in model._meta.related_objects:
        if relation.many_to_many or relation.on_delete not in (CASCADE, PROTECT):
            continue
        way = f"{relation.field.name}__{path}" if path else relation.field.name
        related = relation.related_model
        count = related._base_manager.filter(**{f"{way}__in": pks}).order_by()[: COUNTED_AT_MOST + 1].count()
        name = str(related._meta.verbose_name_plural)
        if relation.on_delete is PROTECT and count:
            obstacles.append(f"{capfirst(name)}: {_shown_count(count)}")
        elif count:
            counts[name] += count
            if levels > 1:
                _follow(related, way, pks, counts, obstacles, levels - 1)


def _shown_count(count: int) -> str:
    return _("more than %(count)s") % {"count": f"{COUNTED_AT_MOST:,}"} if count > COUNTED_AT_MOST else f"{count:,}"
