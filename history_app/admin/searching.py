"""Searching in the admin: lists of facts and the conversation find texts by the index, as the API does."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from config.shared.admin.callers import caller_of_staff
from history_app.services.search_index.reading import search

# A searched list shows the newest so many of what was found.
FOUND_AT_MOST = 200


class SearchedByText:
    """A list of facts that is searched by what they say, besides the beginnings of ids; not by those who may not read.

    The list's other filters come first, so that what is found is within them.
    """

    record_type: str

    def get_search_results(self: Any, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[Any, bool]:
        """Return the rows that hold the term, or whose ids begin with it."""
        term = search_term.strip()
        by_id, _duplicates = super().get_search_results(request, queryset, search_term)  # type: ignore[misc]
        if not term or not caller_of_staff(request).can_see_contents:
            return by_id, False
        scopes = {self.record_type: queryset.order_by()}
        page = search(query=term, scopes=scopes, size=FOUND_AT_MOST)
        if page.next is not None and not getattr(request, "_ledger_search_told", False):
            request._ledger_search_told = True
            told = _("There is more than is shown: the newest %(count)d with this text. A filter narrows the search.")
            messages.info(request, told % {"count": len(page.hits)})
        return by_id | queryset.filter(pk__in=[hit.pk for hit in page.hits]), False
