"""Choosing: some of a scope's records read by their ids, with the statement put together once for a whole search."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet

from history_app.services.search_index.sources import Source
from history_app.services.search_index.statements import listed

# Where in the statement the ids are named. No text that is searched for can be part of the statement.
_MARK = "\x00"
EVERY = "{} IS NOT NULL"


class _Chosen(Func):
    """A condition that is named later: which ids are meant."""

    output_field = BooleanField()

    def as_sql(self, compiler: Any, connection: Any, *_args: Any, **_context: Any) -> tuple[str, Any]:
        """Return a mark with the column, and another one among the parameters."""
        column, _parameters = compiler.compile(self.get_source_expressions()[0])
        return f"{_MARK}{column}{_MARK}", [_MARK]


class Choice:
    """The rows of a scope that may hold the needle, to be read as tuples of id, time and the stored columns.

    Putting a statement together takes the ORM longer than a database needs to answer it, and a search asks several
    times for other ids.
    """

    def __init__(self, source: Source, rows: QuerySet[Any], possible: Q | None) -> None:
        chosen = rows.filter(_Chosen(F("pk"))) if possible is None else rows.filter(possible, _Chosen(F("pk")))
        self._compiler: Any = source.raw(chosen).query.get_compiler(connection=connection)
        try:
            statement, parameters = self._compiler.as_sql()
        except EmptyResultSet:
            self._compiler = None
            return
        self._before, self._column, self._after = statement.split(_MARK)
        place = parameters.index(_MARK)
        self._parameters = (*parameters[:place], *parameters[place + 1 :])

    def read(self, conditions: Sequence[str]) -> Iterable[Any]:
        """Return the rows whose ids meet one of the conditions (where `{}` is the id); one that meets two comes twice.

        Each condition is a statement of its own: one with OR leads the databases astray.
        """
        if self._compiler is None:
            return []
        parts = [f"{self._before}{condition.format(self._column)}{self._after}" for condition in conditions]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), self._parameters * len(parts))
            return list(self._compiler.results_iter(results=[cursor.fetchall()]))


def one_of(ids: Iterable[int]) -> str:
    """Return the condition that the id is one of these."""
    return f"{{}} IN ({listed(ids)})"


def between(first: int, last: int) -> str:
    """Return the condition that the id lies between these, both included."""
    return f"{{}} BETWEEN {first} AND {last}"


def behind(watermark: int) -> str:
    """Return the condition that the id is higher."""
    return f"{{}} > {watermark}"
