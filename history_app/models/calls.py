"""Calls that an agent made: of tools, and of language models."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.shared.fields import IdField, JSONTextField
from history_app.models.facts import Fact
from history_app.models.tasks import Task


class ToolCall(Fact):
    """One row is one call of a tool, with what went in and what came out."""

    class Status(models.TextChoices):
        """How the call ended; pending means that no result was reported."""

        SUCCESS = "success", _("success")
        ERROR = "error", _("error")
        PENDING = "pending", _("pending")

    task = models.ForeignKey(
        Task,
        models.SET_NULL,
        verbose_name=_("task"),
        null=True,
        blank=True,
        related_name="tool_calls",
        db_index=False,
    )
    tool_name = IdField(_("tool"))
    tool_input = JSONTextField(_("input"))
    tool_output = JSONTextField(_("output"))
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.PENDING)
    error_message = models.TextField(_("error message"), blank=True, default="")
    execution_time = models.FloatField(_("execution time (s)"), null=True, blank=True)

    class Meta(Fact.Meta):
        verbose_name = _("tool call")
        verbose_name_plural = _("tool calls")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_id"], name="tool_call_record_once"),
            models.CheckConstraint(
                condition=Q(status__in=["success", "error", "pending"]),
                name="tool_status_known",
            ),
            models.CheckConstraint(
                condition=Q(execution_time__isnull=True) | Q(execution_time__gte=0),
                name="tool_time_not_negative",
            ),
        ]
        indexes = [
            # The list over all sessions, and a period of it; status= filters along it.
            models.Index(fields=["project", "timestamp", "id"], name="tool_call_by_time"),
            # tool_name=, newest first, and the statistics of one tool.
            models.Index(fields=["project", "tool_name", "timestamp"], name="tool_call_by_tool"),
            # What a session still waits for when its agent comes back.
            models.Index(
                fields=["session", "status", "timestamp"],
                name="tool_call_pending",
                condition=models.Q(status="pending"),
            ),
            # The calls of one task; also the foreign key.
            models.Index(
                fields=["task", "timestamp"],
                name="tool_call_by_task",
                condition=Q(task__isnull=False),
            ),
        ]


class LLMCall(Fact):
    """One row is one call of a language model: the request and, once it came, the response.

    Both are reported apart, in any order, and joined by `request_id` within the session. `record_id` is the request's
    (or, before the request came, the response's); `response_record_id` is the response's.
    """

    request_id = IdField(_("request id"))
    response_record_id = IdField(_("response record id"), null=True, blank=True)  # type: ignore[misc]
    model = IdField(_("model"))
    provider = IdField(_("provider"), max_length=100, blank=True, default="")
    messages = JSONTextField(_("messages"), default=list)
    parameters = JSONTextField(_("parameters"), default=dict)
    response = JSONTextField(_("response"))
    token_usage = JSONTextField(_("token usage"))
    response_time = models.FloatField(_("response time (s)"), null=True, blank=True)
    responded_at = models.DateTimeField(_("responded at"), null=True, blank=True)
    response_metadata = JSONTextField(_("response metadata"), default=dict)

    class Meta(Fact.Meta):
        verbose_name = _("LLM call")
        verbose_name_plural = _("LLM calls")
        constraints = [
            models.UniqueConstraint(fields=["session", "record_id"], name="llm_call_record_once"),
            # Joins a response to its request.
            models.UniqueConstraint(fields=["session", "request_id"], name="llm_call_request_once"),
            # A retried response finds its first one here; NULLs are distinct.
            models.UniqueConstraint(fields=["session", "response_record_id"], name="llm_call_response_once"),
            models.CheckConstraint(
                condition=Q(response_time__isnull=True) | Q(response_time__gte=0),
                name="llm_time_not_negative",
            ),
        ]
        indexes = [
            # The list over all sessions, and a period of it; provider= filters along it.
            models.Index(fields=["project", "timestamp", "id"], name="llm_call_by_time"),
            # model=, newest first.
            models.Index(fields=["project", "model", "timestamp"], name="llm_call_by_model"),
        ]

    @property
    def answered(self) -> bool:
        """Whether the response has been reported."""
        return self.response_record_id is not None
