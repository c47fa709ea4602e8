"""Buttons by which staff have the store examined: a job does it, and its page shows what was found."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from config.shared.admin.callers import caller_of_staff
from sessions_app.services.jobs import job_enqueue


class ExaminesStore:
    """Mixed into an admin page: two buttons above its list."""

    actions_list = ("examine_store", "repair_store")

    def has_examine_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Operators and administrators."""
        return bool(request.user.has_perm("backups_app.change_importrun"))

    @action(description=_("Examine the store"), url_path="examine-store", permissions=["examine"])
    def examine_store(self, request: HttpRequest) -> HttpResponse:
        """Have the store looked at."""
        return self._examined(request, repair=False)

    @action(description=_("Examine and repair the store"), url_path="repair-store", permissions=["examine"])
    def repair_store(self, request: HttpRequest) -> HttpResponse:
        """Have the store looked at, and what can be repaired repaired; each repair is in the audit."""
        return self._examined(request, repair=True)

    def _examined(self, request: HttpRequest, *, repair: bool) -> HttpResponse:
        caller = caller_of_staff(request)
        job = job_enqueue(kind="store.examine", arguments={"repair": repair}, now=timezone.now(), caller=caller)
        messages.success(request, _("The store is being examined; the job's result names what is found."))
        return HttpResponseRedirect(reverse("admin:sessions_app_job_change", args=[job.pk]))
