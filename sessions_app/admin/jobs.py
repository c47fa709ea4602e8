"""Admin of jobs: how far they are, what became of them, and to stop them or have them tried again."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.filters import exact_filter
from config.shared.admin.shown import EMPTY
from config.shared.errors import Conflict
from sessions_app.admin.base import ViewOnly
from sessions_app.models import Job
from sessions_app.services.jobs import job_cancel, job_retry


@admin.register(Job)
class JobAdmin(ViewOnly):
    """Jobs, newest first."""

    time_field = "created_at"
    list_display = ("kind", "shown_state", "shown_progress", "attempts", "created_at", "shown_seconds")
    list_filter = ("state", exact_filter("kind", _("kind")))
    list_only = (
        "kind",
        "state",
        "progress_done",
        "progress_total",
        "progress_text",
        "attempts",
        "created_at",
        "started_at",
        "finished_at",
        "cancel_requested",
    )
    search_fields = ("=id",)
    search_help_text = _("Number of a job")
    actions = ("cancel_jobs", "retry_jobs")
    readonly_fields = ("shown_progress",)
    fieldsets = (
        (None, {"fields": ("project", "kind", "state", "shown_progress", "result", "error")}),
        (_("What is to be done"), {"fields": ("arguments", "slot", "asked_by", "cancel_requested")}),
        (_("Times"), {"fields": ("created_at", "due_at", "expires_at", "started_at", "finished_at")}),
        (_("Attempts"), {"fields": ("attempts", "max_attempts", "woken", "fence")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the jobs of one's projects; superusers see those of no project, too: what keeps the whole house."""
        return Job.objects.all() if request.user.is_superuser else super().get_queryset(request)

    @display(description=_("state"), label=STATUS_COLOURS)
    def shown_state(self, row: Job) -> tuple[str, Any]:
        """The state as a badge."""
        return status_label(row, "state")

    @display(description=_("progress"))
    def shown_progress(self, row: Job) -> str:
        """A bar where the whole is known, else the count; beside it what the job is at."""
        note = _("stopping") if row.cancel_requested else row.progress_text
        if row.progress_total:
            return format_html(
                '<progress max="{}" value="{}"></progress> {} / {} <span class="ledger-note" dir="auto">{}</span>',
                row.progress_total,
                row.progress_done,
                f"{row.progress_done:,}",
                f"{row.progress_total:,}",
                note,
            )
        return f"{row.progress_done or ''} {note}".strip() or EMPTY

    @display(description=_("seconds"))
    def shown_seconds(self, row: Job) -> str:
        """How long the last attempt took."""
        return EMPTY if row.seconds is None else f"{row.seconds:.2f}"

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Return whether the member of staff may stop jobs and have them tried again."""
        return request.user.has_perm("sessions_app.change_job")

    @admin.action(description=_("Stop the chosen jobs"), permissions=["work"])
    def cancel_jobs(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Stop what is not over."""
        self._each(request, queryset, job_cancel)

    @admin.action(description=_("Try the chosen jobs again"), permissions=["work"])
    def retry_jobs(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Queue what failed, was parked or was cancelled."""
        self._each(request, queryset, job_retry)

    def _each(self, request: HttpRequest, queryset: QuerySet, service: Callable[..., Job]) -> None:
        caller, done, refused = caller_of_staff(request), 0, 0
        for job in queryset:
            try:
                service(job=job, caller=caller, now=timezone.now())
                done += 1
            except Conflict:
                refused += 1
        if done:
            self.message_user(request, ngettext("%d job.", "%d jobs.", done) % done, messages.SUCCESS)
        if refused:
            text = ngettext("%d job is not in a state for this.", "%d jobs are not in a state for this.", refused)
            self.message_user(request, text % refused, messages.WARNING)
