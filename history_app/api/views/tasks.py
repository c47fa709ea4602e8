"""Tasks and subtasks."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import (
    KEEPERS,
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
    UpdateMixin,
)
from config.shared.errors import InvalidInput, NotFound
from history_app.api import filters
from history_app.api.serializers.facts import TOOL_DOCUMENTS
from history_app.api.serializers.tasks import SubtaskSerializer, TaskDetailSerializer, TaskSerializer
from history_app.models import Subtask, Task, ToolCall
from history_app.selectors.beginnings import with_beginnings
from history_app.services import tasks
from sessions_app.models import Session
from sessions_app.selectors import session_find

TOOL_CALLS_SHOWN = 1000


class TaskViewSet(ListMixin, RetrieveMixin, UpdateMixin, DestroyMixin, LedgerViewSet):
    """Tasks: what sessions were asked to do."""

    queryset = Task.objects.select_related("session").prefetch_related(
        Prefetch("subtasks", Subtask.objects.order_by("subtask_index"))
    )
    serializer_class = TaskDetailSerializer
    filterset_class = filters.TaskFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    ordering = "-created_at"
    orderings = ("created_at",)
    action_roles = {"destroy": KEEPERS}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the tasks with their subtasks and, one at a time, with their tool calls."""
        rows = super().get_queryset()
        if self.action == "list":
            return rows
        calls = with_beginnings(ToolCall.objects.select_related("session"), TOOL_DOCUMENTS)
        return rows.prefetch_related(Prefetch("tool_calls", calls.order_by("timestamp", "id")))

    def get_serializer_class(self) -> Any:
        """Tool calls are for one task at a time."""
        return TaskDetailSerializer if self.action == "retrieve" else TaskSerializer

    def create(self, request: Request) -> Response:
        """Create a task with its subtasks; the same one again, by its record id, answers 200 with the stored one."""
        values = self.validated()
        session = self._session(values.pop("session")["session_id"])
        task, created = tasks.task_create(session=session, now=timezone.now(), **values)
        return self.answer(self._read_again(task), status.HTTP_201_CREATED if created else status.HTTP_200_OK)

    def _session(self, session_id: str) -> Session:
        try:
            return session_find(caller=self.caller, session_id=session_id)
        except NotFound as error:
            raise InvalidInput.at("/session_id", _("There is no such session.")) from error

    def perform_update(self, row: Task, values: dict[str, Any]) -> Task:
        """Change a task; its session, record id and subtasks are not changed by this."""
        session = values.pop("session", None)
        moved = session is not None and session["session_id"] != row.session.session_id
        if moved or values.pop("record_id", row.record_id) != row.record_id:
            raise InvalidInput.at("/session_id" if moved else "/record_id", _("This cannot be changed."))
        if values.pop("subtasks", []):
            raise InvalidInput.at("/subtasks", _("Subtasks are changed at /api/subtasks/."))
        tasks.task_update(task=row, changes=values, now=timezone.now(), merge=self.action == "partial_update")
        return self._read_again(row)

    def _read_again(self, task: Task) -> Any:
        return self.get_queryset().get(pk=task.pk)

    def perform_destroy(self, row: Task) -> None:
        """Remove a task with its subtasks."""
        tasks.task_delete(task=row, caller=self.caller, now=timezone.now())


class SubtaskViewSet(ListMixin, CreateMixin, RetrieveMixin, UpdateMixin, DestroyMixin, LedgerViewSet):
    """Subtasks: the steps of tasks."""

    queryset = Subtask.objects.all()
    serializer_class = SubtaskSerializer
    filterset_class = filters.SubtaskFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    ordering = "-id"
    orderings = ("id",)
    action_roles = {"destroy": KEEPERS}

    def perform_create(self, values: dict[str, Any]) -> Subtask:
        """Add a subtask to a task."""
        task = Task.objects.visible_to(self.caller).filter(pk=values.pop("task_id")).first()
        if task is None:
            raise InvalidInput.at("/task", _("There is no such task."))
        return tasks.subtask_create(task=task, now=timezone.now(), **values)

    def perform_update(self, row: Subtask, values: dict[str, Any]) -> Subtask:
        """Change a subtask; its task and index are not changed by this."""
        for name, stored in (("task_id", row.task_id), ("subtask_index", row.subtask_index)):
            if values.pop(name, stored) != stored:
                raise InvalidInput.at(f"/{name.removesuffix('_id')}", _("This cannot be changed."))
        merge = self.action == "partial_update"
        return tasks.subtask_update(subtask=row, changes=values, now=timezone.now(), merge=merge)

    def perform_destroy(self, row: Subtask) -> None:
        """Remove a subtask."""
        tasks.subtask_delete(subtask=row, caller=self.caller, now=timezone.now())
