"""Lists in pages by key: a cursor says after which row to go on, so that page 10,000 costs as much as page 1."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Model, Q, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from config.shared.errors import InvalidInput

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000
PAGE_PARAMETERS = ("page_size", "cursor", "count")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an ordered list: the ordering values of a row, and whether to read before it instead of after it."""

    values: list[Any]
    backwards: bool


class LedgerCursorPagination(BasePagination):
    """Keyset pagination over the queryset's ordering, whose columns are never null and end in a unique one."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        """Return the rows of the page that the request asks for, with one query (and one more for `count=true`)."""
        self.request = request
        self.order = tuple(str(column) for column in queryset.query.order_by) or ("-id",)
        self.salt = f"cursor:{queryset.model._meta.label}:{','.join(self.order)}"
        size = page_size_of(request)
        self.count = self.counted(queryset) if wants_count(request) else None
        position = self._position()
        backwards = position is not None and position.backwards
        rows = self.read(queryset, position, size + 1)
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        self.next_link = self._link(rows, backwards=False) if more or backwards else None
        self.previous_link = self._link(rows, backwards=True) if (more if backwards else position) else None
        return rows

    def counted(self, queryset: QuerySet[Any]) -> int:
        """Return how many rows all pages have."""
        return queryset.order_by().count()

    def read(self, queryset: QuerySet[Any], position: Position | None, limit: int) -> list[Any]:
        """Return up to `limit` rows behind a position (before it, nearest first, where it goes backwards)."""
        return list(rows_after(queryset, self.order, position)[:limit])

    def get_paginated_response(self, data: Any) -> Response:
        """Return the answer around the page's rows."""
        counted = {} if self.count is None else {"count": self.count}
        return Response({**counted, "next": self.next_link, "previous": self.previous_link, "results": data})

    def _position(self) -> Position | None:
        cursor = self.request.query_params.get("cursor")
        if cursor is None:
            return None
        try:
            backwards, values = signing.Signer(salt=self.salt).unsign_object(cursor)
        except (signing.BadSignature, ValueError) as error:
            raise InvalidInput.at("/cursor", "This is not a cursor of this list.") from error
        return Position([_revived(value) for value in values], backwards)

    def _link(self, rows: list[Any], *, backwards: bool) -> str | None:
        if not rows:
            return None
        row = rows[0] if backwards else rows[-1]
        values = [_kept(_value_of(row, column)) for column in self.order]
        cursor = signing.Signer(salt=self.salt).sign_object([backwards, values])
        address = self.request.build_absolute_uri()
        path, mark, query = address.partition("?")
        return replace_query_param(f"{path.rstrip('/')}/{mark}{query}", "cursor", cursor)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe the answer for OpenAPI."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "description": "Only with count=true."},
                "next": link,
                "previous": link,
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the query parameters for OpenAPI."""
        size = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE}
        return [
            _parameter("page_size", "How many rows a page holds.", size),
            _parameter("cursor", "Where the page begins: take it from next or previous.", {"type": "string"}),
            _parameter("count", "Whether to count all rows, too.", {"type": "boolean", "default": False}),
        ]


def rows_after(queryset: QuerySet[Any], order: tuple[str, ...], position: Position | None) -> QuerySet[Any]:
    """Return the rows behind a position, in the order of the list (or before it, in the opposite order).

    All columns of `order` must go in the same direction, as a plain index does.
    """
    if position is None:
        return queryset
    descending = order[0].startswith("-") is not position.backwards
    columns = [column.lstrip("-") for column in order]
    if position.backwards:
        queryset = queryset.order_by(*[column if order[0].startswith("-") else f"-{column}" for column in columns])
    return queryset.filter(_behind(columns, position.values, "lt" if descending else "gt"))


def _behind(columns: list[str], values: list[Any], comparison: str) -> Q:
    first, value = columns[0], values[0]
    if len(columns) == 1:
        return Q(**{f"{first}__{comparison}": value})
    # The bound on the first column alone is what lets an index find the place; a bare OR would not.
    behind = Q(**{f"{first}__{comparison}": value}) | _behind(columns[1:], values[1:], comparison)
    return Q(**{f"{first}__{comparison}e": value}) & behind


def _value_of(row: Model, column: str) -> Any:
    value: Any = row
    for step in column.lstrip("-").split("__"):
        value = getattr(value, step)
    return value


def _kept(value: Any) -> Any:
    return {"t": value.isoformat()} if isinstance(value, datetime) else value


def _revived(value: Any) -> Any:
    return datetime.fromisoformat(value["t"]) if isinstance(value, dict) else value


def page_size_of(request: Any) -> int:
    """Return the page size that the request asks for. Raises InvalidInput for anything but 1 to 1000."""
    stated = request.query_params.get("page_size", str(DEFAULT_PAGE_SIZE))
    digits = stated.isascii() and stated.isdigit() and len(stated) <= len(str(LARGEST_PAGE_SIZE))
    if not (digits and 1 <= int(stated) <= LARGEST_PAGE_SIZE):
        raise InvalidInput.at("/page_size", f"page_size is a number from 1 to {LARGEST_PAGE_SIZE}.")
    return int(stated)


def wants_count(request: Any) -> bool:
    """Return whether the request asks for the total. Raises InvalidInput for anything but true or false."""
    stated = request.query_params.get("count", "false")
    if stated not in ("true", "false"):
        raise InvalidInput.at("/count", "count is true or false.")
    return bool(stated == "true")


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
