"""Who a member of staff is to the querysets, found once a request."""

from dataclasses import replace
from typing import Any

from django.http import HttpRequest

from config.shared.callers import Caller

MASKED_GROUP = "Analyst"


def staff_caller(user: Any) -> Caller:
    """Return what a member of staff may see: superusers everything, others their projects, Analysts with masks."""
    if user.is_superuser:
        return Caller(kind="staff", name=user.get_username(), role="admin", project_ids=None, project_id=None)
    projects = frozenset(user.projects.values_list("pk", flat=True))
    groups = set(user.groups.values_list("name", flat=True))
    return Caller(
        kind="staff",
        name=user.get_username(),
        role="operator" if groups - {MASKED_GROUP} else "reader",
        project_ids=projects,
        project_id=min(projects, default=None),
        can_see_contents=MASKED_GROUP not in groups,
    )


def caller_of_staff(request: HttpRequest) -> Caller:
    """Return the Caller behind the login."""
    if not hasattr(request, "_ledger_caller"):
        request._ledger_caller = staff_caller(request.user)
    return request._ledger_caller


def project_choices(request: HttpRequest) -> list[tuple[int, str]]:
    """Return the id and slug of the projects that the member of staff may see, by slug."""
    if not hasattr(request, "_ledger_projects"):
        # The model is reached through the user, because the shared ground imports no app.
        projects = request.user.projects.model.objects.order_by("slug")
        seen = caller_of_staff(request).project_ids
        rows = projects if seen is None else projects.filter(pk__in=seen)
        request._ledger_projects = list(rows.values_list("pk", "slug"))
    return request._ledger_projects


def named_caller(request: HttpRequest) -> Caller:
    """Return the Caller with its projects always named, never "all": every list index begins with the project."""
    return replace(caller_of_staff(request), project_ids=frozenset(pk for pk, _slug in project_choices(request)))
