"""Admin of tasks and subtasks."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from config.shared.admin.badges import STATUS_COLOURS, status_label
from config.shared.admin.facts import ProtectedModelAdmin
from config.shared.admin.filters import period_filter
from config.shared.callers import Caller
from config.shared.ids import uuid7
from history_app.models import Subtask, Task
from history_app.services.tasks import subtask_delete, task_delete
from sessions_app.services.staff_edits import row_create, row_update

BEGINNING_CHARACTERS = 100


class WorkAdmin(ProtectedModelAdmin):
    """What tasks and subtasks have in common."""

    beginning_of = ""

    def project_of(self, row: Any) -> int:
        """Return the project whose audit remembers a change."""
        raise NotImplementedError

    def row_create(self, row: Any, caller: Caller) -> Any:
        return row_create(row=row, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def row_update(self, row: Any, changed: list[str], caller: Caller) -> None:
        row_update(row=row, changed=changed, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def list_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Read the beginning of the text, not the whole."""
        return super().list_rows(rows).annotate(beginning_text=Left(self.beginning_of, BEGINNING_CHARACTERS))

    @display(description=_("text"))
    def shown_beginning(self, row: Any) -> str:
        """The beginning of what was asked, on one line."""
        text = " ".join((row.beginning_text or "").split())
        return format_html('<span class="ledger-beginning" dir="auto">{}</span>', text or "-")

    @display(description=_("status"), label=STATUS_COLOURS)
    def shown_status(self, row: Any) -> tuple[str, Any]:
        """The status as a badge."""
        return status_label(row, "status")


@admin.register(Task)
class TaskAdmin(WorkAdmin):
    """What sessions were asked to do."""

    time_field = "created_at"
    beginning_of = "user_input"
    list_display = ("shown_beginning", "shown_status", "in_conversation", "created_at", "updated_at")
    list_filter = ("status", period_filter("created_at", _("created")))
    list_select_related = ("session",)
    list_only = ("status", "created_at", "updated_at", "session__session_id")
    search_fields = ("^session__session_id",)
    search_help_text = _("Beginning of a session id")
    raw_id_fields = ("session",)
    identity_fields = ("project", "session", "record_id")
    made_when_empty = ("record_id",)
    readonly_fields = ("updated_at",)
    masked_fields = ("user_input", "results", "beginning_text")
    fieldsets = (
        (None, {"fields": ("project", "session", "record_id", "user_input", "status")}),
        (_("Results"), {"fields": ("results", "metadata")}),
        (_("Times"), {"fields": ("created_at", "updated_at")}),
    )
    add_fieldsets = ((None, {"fields": ("session", "record_id", "user_input", "status", "results", "metadata")}),)

    def project_of(self, row: Task) -> int:
        return int(row.session.project_id)

    def row_create(self, row: Task, caller: Caller) -> Task:
        """Put the task into its session's project."""
        row.project_id = row.session.project_id
        row.record_id = row.record_id or uuid7()
        return super().row_create(row, caller)

    def row_delete(self, row: Task, caller: Caller) -> None:
        task_delete(task=row, caller=caller, now=timezone.now())

    @display(description=_("session"))
    def in_conversation(self, row: Task) -> str:
        """The session's id, leading to its conversation."""
        link = reverse("admin:sessions_app_session_conversation", args=[row.session_id])
        return format_html('<a class="text-link ledger-id" dir="auto" href="{}">{}</a>', link, row.session.session_id)


@admin.register(Subtask)
class SubtaskAdmin(WorkAdmin):
    """The steps that tasks were cut into."""

    project_path = "task__project_id"
    beginning_of = "description"
    list_display = ("subtask_index", "shown_beginning", "shown_status", "task_link", "created_at")
    list_display_links = ("subtask_index", "shown_beginning")
    list_filter = ("status", period_filter("created_at", _("created")))
    list_only = ("subtask_index", "status", "created_at", "task_id")
    search_fields = ("^task__session__session_id",)
    search_help_text = _("Beginning of a session id")
    raw_id_fields = ("task",)
    identity_fields = ("task", "subtask_index")
    readonly_fields = ("updated_at",)
    masked_fields = (
        "description",
        "expected_output",
        "actual_output",
        "context",
        "validation_report",
        "beginning_text",
    )
    fieldsets = (
        (None, {"fields": ("task", "subtask_index", "description", "status")}),
        (_("Outcome"), {"fields": ("expected_output", "actual_output", "validation_report", "context")}),
        (_("Times"), {"fields": ("created_at", "updated_at")}),
    )

    def project_of(self, row: Subtask) -> int:
        return int(row.task.project_id)

    def row_delete(self, row: Subtask, caller: Caller) -> None:
        subtask_delete(subtask=row, caller=caller, now=timezone.now())

    @display(description=_("task"))
    def task_link(self, row: Subtask) -> str:
        """The number of the task, leading to it."""
        link = reverse("admin:history_app_task_change", args=[row.task_id])
        return format_html('<a class="text-link" href="{}">#{}</a>', link, row.task_id)
