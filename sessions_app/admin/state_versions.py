"""The page of a session's state: its versions, the difference between any two, and the way back to one."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config.shared.admin.callers import caller_of_staff
from config.shared.admin.shown import MASK, pretty_json
from config.shared.errors import LedgerError, NotFound, StaleVersion
from sessions_app.models import Session, SessionState
from sessions_app.services.state_edits import state_return
from sessions_app.services.states import DOCUMENTS, state_values

VERSIONS_SHOWN = 200
# A comparison of more lines takes longer than anybody waits, and nobody reads it.
LINES_COMPARED = 4000
LINES_AROUND = 3
_GREATEST, _DIGITS = 2**31 - 1, 10


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference; `kind` is added, removed, same or gap, and `sign` says it without colour."""

    kind: str
    sign: str
    text: str


def versions_page(request: HttpRequest, session_admin: Any, session_pk: int) -> HttpResponse:
    """Show the versions that are kept and compare two (`?a=`, `?b=`); a POST goes back to one.

    Raises Http404 for a session behind a wall, PermissionDenied without the right to see or change it.
    """
    session = session_admin.get_queryset(request).filter(pk=session_pk).first()
    if session is None:
        raise Http404
    if not session_admin.has_view_permission(request, session):
        raise PermissionDenied
    may_return = session_admin.has_change_permission(request, session)
    if request.method == "POST":
        if not may_return:
            raise PermissionDenied
        return _return(request, session)
    context = {
        **session_admin.admin_site.each_context(request),
        **_context(request, session),
        "title": _("State of %s") % session,
        "opts": Session._meta,
        "original": session,
        "session": session,
        "may_return": may_return,
    }
    return TemplateResponse(request, "admin/state_versions.html", context)


def _return(request: HttpRequest, session: Session) -> HttpResponse:
    version, seen = (_number(request.POST.get(name)) for name in ("version", "seen_version"))
    try:
        state = state_return(
            session=session,
            version=version or 0,
            expected_version=seen or 0,
            caller=caller_of_staff(request),
            now=timezone.now(),
        )
    except StaleVersion:
        messages.error(request, _("The state has changed since you looked at it. Nothing was done; please look again."))
    except NotFound:
        messages.error(request, _("This version is not kept any more. Nothing was done."))
    except LedgerError as refusal:
        messages.error(request, str(refusal))
    else:
        told = {"version": version, "new": state.version}
        messages.success(request, _("Version %(version)d is the state again, as version %(new)d.") % told)
    return HttpResponseRedirect(reverse("admin:sessions_app_session_states", args=[session.pk]))


def _context(request: HttpRequest, session: Session) -> dict[str, Any]:
    rows = SessionState.objects.filter(session=session).defer(*DOCUMENTS).order_by("-version")
    versions = list(rows[:VERSIONS_SHOWN])
    if not versions:
        return {"versions": []}
    current = versions[0]
    wanted = _number(request.GET.get("back"))
    after = _number(request.GET.get("b")) or wanted or current.version
    before = _number(request.GET.get("a")) or (current.version if wanted else _former(versions, after))
    chosen = {row.version: row for row in SessionState.objects.filter(session=session, version__in=[before, after])}
    if before not in chosen or after not in chosen:
        raise Http404
    masked = not caller_of_staff(request).can_see_contents
    texts = [_text(chosen[version], masked) for version in (before, after)]
    return {
        "versions": versions,
        "current": current,
        "before": chosen[before],
        "after": chosen[after],
        "lines": list(difference(*texts)),
        "is_long": max(text.count("\n") for text in texts) >= LINES_COMPARED,
        "wanted": chosen[after] if wanted == after and not chosen[after].is_current else None,
        "masked": masked,
    }


def _former(versions: list[SessionState], version: int) -> int:
    return next((row.version for row in versions if row.version < version), version)


def _number(stated: Any) -> int | None:
    is_number = isinstance(stated, str) and stated.isascii() and stated.isdigit() and len(stated) <= _DIGITS
    return min(int(stated), _GREATEST) if is_number else None


def _text(state: SessionState, masked: bool) -> str:
    """Return a version as readable JSON."""
    values = state_values(state)
    hidden = {name: MASK for name in DOCUMENTS if masked and values[name]}
    start = values["start_time"]
    return pretty_json({**values, "start_time": start.isoformat() if start else None, **hidden})


def difference(before: str, after: str) -> Iterator[Line]:
    """Yield the lines that differ, with some around them; a gap stands for lines that are the same."""
    old, new = (text.split("\n")[:LINES_COMPARED] for text in (before, after))
    for number, group in enumerate(
        difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(LINES_AROUND)
    ):
        if number:
            yield Line("gap", " ", "⋯")
        for kind, first, last, start, end in group:
            if kind == "equal":
                yield from (Line("same", " ", text) for text in old[first:last])
                continue
            yield from (Line("removed", "−", text) for text in old[first:last])
            yield from (Line("added", "+", text) for text in new[start:end])
