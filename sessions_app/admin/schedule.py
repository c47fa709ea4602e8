"""Admin of the scheduled jobs: how their runs went, to switch off and on, to run at another time, and to run now."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django_celery_beat.admin import ClockedScheduleAdmin as BeatClockedAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as BeatCrontabAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BeatTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.base import LedgerModelAdmin
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.lists import LedgerChangeList
from config.shared.admin.shown import EMPTY
from config.shared.jobs import job_kinds
from sessions_app.admin.base import StaffEdited
from sessions_app.models import Job
from sessions_app.selectors import entry_runs

# Length in seconds, and how one and several are said.
_UNITS = (
    (86400, _("every day"), _("every %(count)g days")),
    (3600, _("every hour"), _("every %(count)g hours")),
    (60, _("every minute"), _("every %(count)g minutes")),
    (1, _("every second"), _("every %(count)g seconds")),
)

for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    admin.site.unregister(_model)


class ScheduledJobForm(PeriodicTaskForm):
    """The form of a scheduled job: its kind is one that the code knows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = self.instance.task
        names = [kind.name for kind in job_kinds()]
        kinds = [(name, name) for name in ([] if current in {"", *names} else [current]) + names]
        self.initial["regtask"] = current
        self.fields["regtask"] = forms.ChoiceField(
            label=_("kind"), choices=kinds, required=False, widget=UnfoldAdminSelectWidget()
        )
        self.fields["task"].widget = forms.HiddenInput()


class ScheduleChangeList(LedgerChangeList):
    """The list with the runs of its jobs beside them, found by three questions however long it is."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows, and then what became of their jobs."""
        super().get_results(request)
        found = entry_runs(entries={row.name: row.task for row in self.result_list})
        for row in self.result_list:
            row.runs = found[row.name]


class ScheduleAdmin(StaffEdited, LedgerModelAdmin):
    """Tables of the scheduler: they belong to no project."""

    project_path = None
    ordering = ("-pk",)
    list_filter = ()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(BeatTaskAdmin, ScheduleAdmin):
    """Scheduled jobs; the code's own schedule never overwrites the switch."""

    form = ScheduledJobForm
    date_hierarchy = None
    ordering = ("name",)
    list_display = ("shown_name", "enabled", "shown_scheduler", "shown_state", "last", "duration", "failures", "next")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    search_help_text = _("Part of a name")
    actions = ("enable_tasks", "disable_tasks", "run_tasks")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerChangeList]:
        return ScheduleChangeList

    @display(description=_("name"), ordering="name")
    def shown_name(self, row: PeriodicTask) -> str:
        """The name, and below it what the job does."""
        return format_html('{}<br><span class="ledger-note">{}</span>', row.name, _in_words(row.description))

    @display(description=_("when"))
    def shown_scheduler(self, row: PeriodicTask) -> str:
        """The interval in the largest unit that it is a multiple of, or the times."""
        return _every(row.interval.schedule.run_every) if row.interval else str(row.scheduler)

    @display(description=_("last result"), label=STATUS_COLOURS)
    def shown_state(self, row: PeriodicTask) -> Any:
        """How the last run of the schedule ended, or that it is at work."""
        return status_label(row.runs.last, "state") if row.runs.last else None

    @display(description=_("last run"))
    def last(self, row: PeriodicTask) -> str:
        """When the last run of the schedule began, and the last that somebody asked for, with links to their jobs."""
        return format_html(
            "{}{}",
            _begun(row.runs.last) if row.runs.last else EMPTY,
            _asked_for(row.runs.asked_for) if row.runs.asked_for else "",
        )

    @display(description=_("seconds"))
    def duration(self, row: PeriodicTask) -> str:
        """How long the last run of the schedule took."""
        seconds = row.runs.last.seconds if row.runs.last else None
        return EMPTY if seconds is None else f"{seconds:.2f}"

    @display(description=_("failures"))
    def failures(self, row: PeriodicTask) -> int:
        """How many of the schedule's runs that are kept failed or were parked."""
        return int(row.runs.failures)

    @display(description=_("next run"))
    def next(self, row: PeriodicTask) -> str:
        """When the next slot is."""
        if not row.enabled:
            return EMPTY
        at = import_string(settings.AGENTLEDGER_NEXT_RUN_FUNCTION)(row, timezone.now())
        return EMPTY if at is None else _two_lines(timezone.localtime(at))

    @admin.action(description=_("Run the chosen jobs now"), permissions=["change"])
    def run_tasks(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Ask for a run of each, beside its slots."""
        run_now = import_string(settings.AGENTLEDGER_RUN_NOW_FUNCTION)
        for row in queryset:
            run_now(row=row, caller=caller_of_staff(request), now=timezone.now())
        self.message_user(request, _("They run now; see the jobs."), messages.SUCCESS)


def _in_words(description: str) -> str:
    """Return what a job of our own schedule does in the reader's language; what staff wrote as it is."""
    return gettext(description) if description else ""


def _every(interval: timedelta) -> str:
    """Return an interval as people say it: `every day`, `every 5 minutes`."""
    seconds = interval.total_seconds()
    for length, single, several in _UNITS:
        count, rest = divmod(seconds, length)
        if count and not rest:
            return str(single) if count == 1 else str(several) % {"count": count}
    return str(several) % {"count": seconds}


def _begun(job: Job) -> str:
    """Return when a job began, with a link to it."""
    when = timezone.localtime(job.started_at or job.created_at)
    link = reverse("admin:sessions_app_job_change", args=[job.pk])
    return format_html('<a href="{}" class="text-link">{}</a>', link, _two_lines(when))


def _asked_for(job: Job) -> str:
    """Return who asked for a run beside the schedule, when it began, and how it ended."""
    link = reverse("admin:sessions_app_job_change", args=[job.pk])
    words = gettext("%(who)s, %(when)s: %(state)s") % {
        "who": job.asked_by,
        "when": localize(timezone.localtime(job.started_at or job.created_at)),
        "state": job.get_state_display(),
    }
    return format_html('<br><a href="{}" class="ledger-note ledger-aside" dir="auto">{}</a>', link, words)


def _two_lines(when: datetime) -> str:
    """Return day and time below each other: the list has many columns."""
    return format_html("{}<br>{}", localize(when.date()), localize(when.time()))


@admin.register(IntervalSchedule)
class IntervalScheduleAdmin(ScheduleAdmin):
    """Every so many seconds, minutes, hours or days."""

    list_display = ("__str__", "every", "period")


@admin.register(CrontabSchedule)
class CrontabScheduleAdmin(ScheduleAdmin):
    """Times in cron's notation."""

    list_display = BeatCrontabAdmin.list_display
    fields = BeatCrontabAdmin.fields
    readonly_fields = BeatCrontabAdmin.readonly_fields


@admin.register(ClockedSchedule)
class ClockedScheduleAdmin(ScheduleAdmin):
    """Single moments."""

    list_display = BeatClockedAdmin.list_display
    fields = BeatClockedAdmin.fields


@admin.register(SolarSchedule)
class SolarScheduleAdmin(ScheduleAdmin):
    """Sunrise and its kin."""
