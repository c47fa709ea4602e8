"""What a search looks through, and how a hit is shown."""

from collections.abc import Iterable
from html import escape
from typing import Any

from django.db.models import QuerySet

from config.shared.callers import Caller
from history_app.services.search_index.matching import Snippet
from history_app.services.search_index.reading import Hit
from history_app.services.search_index.sources import SOURCES
from sessions_app.models import Session


def scopes_of(
    caller: Caller, record_types: Iterable[str], *, session_id: str | None = None, user_id: str | None = None
) -> dict[str, QuerySet[Any]]:
    """Return the rows that the caller may search, by record type: all of them, or those of a session or a user."""
    scopes: dict[str, QuerySet[Any]] = {name: SOURCES[name].model.objects.visible_to(caller) for name in record_types}
    if session_id is None and user_id is None:
        return scopes
    sessions = Session.objects.visible_to(caller)
    if user_id is not None:
        sessions = sessions.filter(user_id=user_id)
    pks: Any = sessions.values("pk")
    if session_id is not None:
        # One or, for staff of several projects, a few: looked up first, because a join would lead the database to walk
        # the whole project.
        pks = list(sessions.filter(session_id=session_id).values_list("pk", flat=True))
    return {name: rows.filter(session_id__in=pks) for name, rows in scopes.items()}


def hits_shown(hits: list[Hit]) -> list[dict[str, Any]]:
    """Return the hits as the API shows them; one whose record was removed a moment ago is left out."""
    named: dict[tuple[str, int], tuple[str, str]] = {}
    for name in {hit.record_type for hit in hits}:
        rows = SOURCES[name].model.objects.filter(pk__in=[hit.pk for hit in hits if hit.record_type == name])
        for pk, record_id, session_id in rows.values_list("pk", "record_id", "session__session_id"):
            named[name, pk] = (record_id, session_id)
    return [
        {
            "record_type": hit.record_type,
            "record_id": named[hit.record_type, hit.pk][0],
            "session_id": named[hit.record_type, hit.pk][1],
            "timestamp": hit.timestamp,
            "snippet": marked(hit.snippet),
        }
        for hit in hits
        if (hit.record_type, hit.pk) in named
    ]


def marked(snippet: Snippet) -> str:
    """Return a snippet escaped for HTML, the match between `<mark>` and `</mark>`."""
    before, match = snippet.text[: snippet.start], snippet.text[snippet.start : snippet.end]
    return f"{escape(before)}<mark>{escape(match)}</mark>{escape(snippet.text[snippet.end :])}"
