"""Pages of big tables: counted exactly up to a bound, and never further."""

from django.core.paginator import Paginator
from django.utils.functional import cached_property

COUNTED_AT_MOST = 10_000


class BoundedPaginator(Paginator):
    """Counts at most COUNTED_AT_MOST rows, so that neither the count nor the deepest page reads a whole table."""

    template_name = "admin/bounded_pagination.html"

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        if not hasattr(rows, "query"):
            return len(rows)
        return rows.order_by().values("pk")[: COUNTED_AT_MOST + 1].count()

    @cached_property
    def count(self) -> int:
        """The number of rows that the pages reach."""
        return min(self._counted, COUNTED_AT_MOST)

    @property
    def shown_bound(self) -> str:
        """The bound, for people."""
        return f"{COUNTED_AT_MOST:,}"

    @property
    def has_more(self) -> bool:
        """Whether there are rows beyond the ones that the pages reach."""
        return self._counted > COUNTED_AT_MOST
