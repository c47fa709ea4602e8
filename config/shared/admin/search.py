"""Search that an index serves: exact texts and beginnings of ids, instead of LIKE over a big table."""

from collections.abc import Iterable

from django.db.models import CharField, Model, Q, QuerySet

from config.shared.querysets import starts_with

RELATED_AT_MOST = 200
NOTHING = Q(pk__in=())


def indexed_search(rows: QuerySet, fields: Iterable[str], term: str) -> QuerySet:
    """Return the rows that match the term in one of the fields.

    `^name` matches the beginning, `=name` the whole text, and a plain name any part without regard to case (for small
    tables only). `^session__session_id` first finds at most RELATED_AT_MOST sessions, then their rows, so that both
    steps are served by an index.
    """
    term = term.replace("\x00", "")
    if not term:
        return rows
    condition = NOTHING
    for field in fields:
        condition |= _condition(rows.model, field, term)
    return rows.filter(condition)


def _condition(model: type[Model], field: str, term: str) -> Q:
    how, path = (field[0], field[1:]) if field[0] in "^=" else ("", field)
    relation, _, rest = path.partition("__")
    # A foreign key is asked for by its number.
    if not rest and not isinstance(model._meta.get_field(path), CharField) and not term.isdecimal():
        return NOTHING
    if rest and how:
        related = model._meta.get_field(relation).related_model
        found = related._default_manager.filter(_condition(related, how + rest, term)).order_by()
        return Q(**{f"{relation}__in": list(found.values_list("pk", flat=True)[:RELATED_AT_MOST])})
    if how == "^":
        return starts_with(path, term)
    if how == "=":
        return Q(**{path: term})
    return Q(**{f"{path}__icontains": term})
