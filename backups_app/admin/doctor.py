"""A page on which staff have the store examined: a job does it, and its page shows what was found."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from backups_app.models import ImportRun
from config.shared.admin.callers import caller_of_staff
from sessions_app.services.jobs import job_enqueue


class ExaminesStore:
    """Mixed into an admin page: a button above its list, and the page behind it."""

    actions_list = ("examine_store",)

    def has_examine_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Operators and administrators."""
        return bool(request.user.has_perm("backups_app.change_importrun"))

    @action(description=_("Examine the store"), url_path="examine-store", permissions=["examine"])
    def examine_store(self, request: HttpRequest) -> HttpResponse:
        """Say what the doctor does; a POST has it done, with repairs (each of them audited) if that was the button."""
        if request.method != "POST":
            context = {**self.admin_site.each_context(request), "opts": ImportRun._meta,  # type: ignore[attr-defined]
                       "title": _("Examine the store")}  # fmt: skip
            return TemplateResponse(request, "admin/examine_store.html", context)
        caller = caller_of_staff(request)
        arguments = {"repair": "repair" in request.POST}
        job = job_enqueue(kind="store.examine", arguments=arguments, now=timezone.now(), caller=caller)
        messages.success(request, _("The store is being examined; the job's result names what is found."))
        return HttpResponseRedirect(reverse("admin:sessions_app_job_change", args=[job.pk]))
