"""Admin of the scheduled jobs: to look at, switch off and on, and run at another time."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_celery_beat.admin import ClockedScheduleAdmin as BeatClockedAdmin
from django_celery_beat.admin import CrontabScheduleAdmin as BeatCrontabAdmin
from django_celery_beat.admin import PeriodicTaskAdmin as BeatTaskAdmin
from django_celery_beat.admin import PeriodicTaskForm, TaskSelectWidget
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from config.shared.admin.base import LedgerModelAdmin
from sessions_app.admin.base import StaffEdited

for _model in (PeriodicTask, IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule):
    admin.site.unregister(_model)


class TaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    """The list of jobs that the code offers, in Unfold's clothes."""


class ScheduledJobForm(PeriodicTaskForm):
    """The form of a scheduled job, in Unfold's clothes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelect()


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
    list_display = ("name", "enabled", "scheduler", "last_run_at", "total_run_count")
    list_filter = ("enabled",)
    search_fields = ("name", "task")
    search_help_text = _("Part of a name")
    actions = ("enable_tasks", "disable_tasks")


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
