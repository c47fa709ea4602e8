"""The view of the conversation page."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from config.shared.admin.callers import caller_of_staff
from history_app.admin.conversation.entries import read_entries
from history_app.admin.conversation.finds import finds_in
from history_app.admin.conversation.panel import counts_of, current_state, newest_tasks, usage_totals
from history_app.admin.conversation.window import KINDS, Key, Kind, Window, window_after, window_before
from sessions_app.models import Session

# The forms of the file that the API writes of a session; the page links to them.
EXPORT_FORMS = ("json", "jsonl", "csv")


def conversation_page(request: HttpRequest, session_admin: Any, session_pk: int) -> HttpResponse:
    """Show one window of a session's conversation: the newest, or the one that the query names.

    `?from=start` shows the first entries, `?after=` and `?before=` go on from an entry's key, `?q=` searches; who sees
    contents masked cannot search. The number of queries
    does not depend on how much the session holds. Raises Http404 for a session behind a wall.
    """
    rows = session_admin.get_queryset(request).select_related("project", "workflow", "activity")
    session = rows.filter(pk=session_pk).first()
    if session is None:
        raise Http404
    if not session_admin.has_view_permission(request, session):
        raise PermissionDenied
    return TemplateResponse(
        request,
        "admin/conversation/page.html",
        {**session_admin.admin_site.each_context(request), **_context(request, session)},
    )


def _context(request: HttpRequest, session: Session) -> dict[str, Any]:
    masked = not caller_of_staff(request).can_see_contents
    window = _window(request, session)
    query = request.GET.get("q", "").strip()
    return {
        "title": str(session),
        "opts": Session._meta,
        "original": session,
        "session": session,
        "export_forms": EXPORT_FORMS,
        "masked": masked,
        "window": window,
        "finds": finds_in(session, _visible_kinds(request), query) if query and not masked else None,
        "entries": read_entries(window.places, masked),
        "counts": counts_of(session),
        "usage": usage_totals(session),
        "state": current_state(session, masked),
        "tasks": newest_tasks(session) if request.user.has_perm("history_app.view_task") else [],
    }


def _window(request: HttpRequest, session: Session) -> Window:
    kinds = _visible_kinds(request)
    after, before = (Key.parse(request.GET.get(name, "")) for name in ("after", "before"))
    if after is not None or request.GET.get("from") == "start":
        return window_after(session, kinds, after)
    return window_before(session, kinds, before)


def _visible_kinds(request: HttpRequest) -> tuple[Kind, ...]:
    return tuple(kind for kind in KINDS if request.user.has_perm(f"history_app.view_{kind.model._meta.model_name}"))
