"""Lists of rows: only the columns that are shown, masked where they must be."""

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList


class LedgerChangeList(ChangeList):
    """A list that reads only the columns it shows, and masks them where the reader may not see contents."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet:
        """Return the filtered rows, cut down to the columns of the list."""
        return self.model_admin.list_rows(super().get_queryset(request, exclude_parameters))

    def get_results(self, request: HttpRequest) -> None:
        """Read the page."""
        super().get_results(request)
        if not (self.query or self.has_active_filters):
            # Nothing is left out by a choice of the reader, so the page offers no way back to "all".
            self.full_result_count = self.result_count
        self.model_admin.mask(request, *self.result_list)

    def url_for_result(self, result: Model) -> str:
        """Return where a row's link leads."""
        return self.model_admin.row_url(result) or super().url_for_result(result)
