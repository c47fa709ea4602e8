"""The view of the dashboard."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from analytics_app.admin.dashboard.choice import PERIODS, Choice, choice_of
from analytics_app.admin.dashboard.contents import Contents
from config.shared.admin.callers import project_choices

# What a topic needs to be looked at: the same right as the list of its rows.
TOPICS = (
    ("analytics_app.view_modelusage", Contents.add_usage),
    ("sessions_app.view_session", Contents.add_sessions),
    ("history_app.view_errorrecord", Contents.add_errors),
    ("history_app.view_llmcall", Contents.add_response_times),
)


def dashboard_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the figures of a period in the projects of the member of staff, topics without a right left out.

    The number of queries does not depend on how much there is. Raises PermissionDenied for who may see none of it.
    """
    allowed = [add for right, add in TOPICS if request.user.has_perm(right)]
    if not allowed:
        raise PermissionDenied
    choice = choice_of(request, timezone.localdate())
    contents = Contents(choice)
    for add in allowed:
        add(contents)
    context = {**site.each_context(request), "title": _("Dashboard"), **_form(request, choice)}
    context |= {"tiles": contents.tiles, "panels": contents.panels}
    return TemplateResponse(request, "admin/dashboard/page.html", context)


def _form(request: HttpRequest, choice: Choice) -> dict[str, Any]:
    projects = project_choices(request)
    return {
        "choice": choice,
        "periods": PERIODS,
        "projects": projects if len(projects) > 1 else [],
        "zone": choice.steps.zone,
    }
