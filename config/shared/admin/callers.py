"""Who a member of staff is to the querysets, found once a request."""

from django.http import HttpRequest

from config.shared.callers import Caller
from config.shared.staff import staff_caller


def caller_of_staff(request: HttpRequest) -> Caller:
    """Return the Caller behind the login. Its projects are always named, because every list index begins with one."""
    if not hasattr(request, "_ledger_caller"):
        request._ledger_caller = staff_caller(request.user)
    caller: Caller = request._ledger_caller
    return caller


def project_choices(request: HttpRequest) -> list[tuple[int, str]]:
    """Return the id and slug of the projects that the member of staff may see, by slug."""
    if not hasattr(request, "_ledger_projects"):
        # The model is reached through the user, because the shared ground imports no app.
        projects = request.user.projects.model.objects.filter(pk__in=caller_of_staff(request).project_ids)
        request._ledger_projects = list(projects.order_by("slug").values_list("pk", "slug"))
    choices: list[tuple[int, str]] = request._ledger_projects
    return choices
