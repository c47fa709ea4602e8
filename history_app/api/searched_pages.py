"""Pages of one session's messages that hold a text: the rows of the list in its own order, compared one by one."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from config.shared.api.pagination import LedgerCursorPagination, Position, rows_after
from config.shared.errors import InvalidInput
from history_app.api.searches import check_may_search, query_of
from history_app.models import Message
from history_app.services.search_index.needles import Needle
from history_app.services.search_index.sources import SOURCES

ROWS_PER_QUERY = 200


class SessionMessagePagination(LedgerCursorPagination):
    """Keyset pages; with `q` of those messages only that hold it.

    A session's messages are few beside all there are, and the database leaves out nearly all that do not hold it, so
    the index would not be faster.
    """

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """Return the rows of the page that the request asks for."""
        self.needle = needle_of(request, view.caller)
        return super().paginate_queryset(queryset, request, view)

    def counted(self, queryset: QuerySet[Any]) -> int:
        """Return how many rows all pages have. Raises InvalidInput with `q`."""
        if self.needle is not None:
            raise InvalidInput.at("/count", _("With q the rows are not counted."))
        return super().counted(queryset)

    def read(self, queryset: QuerySet[Any], position: Position | None, limit: int) -> list[Any]:
        """Return up to `limit` rows behind a position."""
        if self.needle is None:
            return super().read(queryset, position, limit)
        return messages_holding(queryset, self.needle, self.order, position, limit)


def needle_of(request: Any, caller: Any) -> Needle | None:
    """Return what the request searches for, or None. Raises Forbidden and InvalidInput."""
    if "q" not in request.query_params:
        return None
    check_may_search(caller)
    return Needle.of(query_of(request))


def messages_holding(
    rows: QuerySet[Message], needle: Needle, order: tuple[str, ...], position: Position | None, limit: int
) -> list[Message]:
    """Return the first `limit` messages behind a position, in the order of the list, whose text holds the needle."""
    possible = needle.possible_in(SOURCES["message"])
    rows = rows if possible is None else rows.filter(possible)
    found: list[Message] = []
    backwards = position is not None and position.backwards
    while True:
        some = list(rows_after(rows, order, position)[: max(ROWS_PER_QUERY, limit)])
        found += [row for row in some if needle.text in (row.content or "").lower()]
        if len(found) >= limit or len(some) < max(ROWS_PER_QUERY, limit):
            return found[:limit]
        position = Position([getattr(some[-1], column.lstrip("-")) for column in order], backwards)
