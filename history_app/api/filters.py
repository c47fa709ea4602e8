"""Which facts a list shows: one filterset a list, every filter served by an index of its model, or along one."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from config.shared.api.filters import InstantFilter, IntegerFilter, LedgerFilterSet, TextFilter
from config.shared.api.zones import ZoneFilter
from config.shared.errors import InvalidInput
from history_app.api.searches import LONGEST_QUERY
from history_app.models import ErrorRecord, LLMCall, Message, Metric, Subtask, Task, TokenUsage, ToolCall
from history_app.models.tasks import WorkStatus
from sessions_app.models import Session


def of_session(filterset: LedgerFilterSet, rows: QuerySet[Any], session_id: str) -> QuerySet[Any]:
    """Return the rows of the sessions with this text id that the caller may see.

    The sessions are looked up first: a join would lead the database to walk the whole project in order of time.
    """
    sessions = Session.objects.visible_to(filterset.request.auth).filter(session_id=session_id)
    return rows.filter(session_id__in=list(sessions.values_list("pk", flat=True)))


class SearchFilter(TextFilter):
    """A part of the text. The view searches for it, in the rows that the other filters let through."""

    def __init__(self) -> None:
        label = "The rows whose text has this part, without regard to case."
        super().__init__(label=label, max_length=LONGEST_QUERY)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs


class FactFilterSet(LedgerFilterSet):
    """What every kind of fact can be found by."""

    session_id = TextFilter(method="in_session")
    record_id = TextFilter(method="with_record_id", label="Only together with session_id, within which it is unique.")
    start = InstantFilter(field_name="timestamp", lookup_expr="gte", label="From this moment on.")
    end = InstantFilter(field_name="timestamp", lookup_expr="lt", label="Before this moment.")

    def in_session(self, queryset: Any, name: str, value: str) -> Any:
        """Return the facts of one session."""
        return of_session(self, queryset, value)

    def with_record_id(self, queryset: Any, name: str, value: str) -> Any:
        """Return the one fact of the session with this id. Raises InvalidInput without a session."""
        if not self.data.get("session_id"):
            raise InvalidInput.at("/record_id", _("Say with session_id which session's record is meant."))
        return queryset.filter(record_id=value)


class CountedFilterSet(FactFilterSet):
    """Facts that are counted over a period, by the days of a zone. A period that ends before it begins is a mistake."""

    tz = ZoneFilter()

    def filter_queryset(self, queryset: Any) -> Any:
        """Return the facts of the period. Raises InvalidInput where it is none."""
        start, end = (self.form.cleaned_data[name] for name in ("start", "end"))
        if start is not None and end is not None and start >= end:
            raise InvalidInput.at("/end", _("The end lies after the start."))
        return super().filter_queryset(queryset)


class MessageFilterSet(FactFilterSet):
    """Messages, also by who speaks."""

    role = django_filters.ChoiceFilter(choices=Message.Role.choices)
    q = SearchFilter()

    class Meta:
        model = Message
        fields: tuple[str, ...] = ()


class SessionMessageFilterSet(LedgerFilterSet):
    """Messages of one session: a window by number, or the last ones."""

    role = django_filters.ChoiceFilter(choices=Message.Role.choices)
    before = IntegerFilter(field_name="sequence", lookup_expr="lt", label="Below this number.")
    after = IntegerFilter(field_name="sequence", lookup_expr="gt", label="Above this number.")
    last = IntegerFilter(method="all_of_them", label="The last so many (at most 1000), in their order.")
    q = SearchFilter()

    class Meta:
        model = Message
        fields: tuple[str, ...] = ()

    def all_of_them(self, queryset: Any, name: str, value: int) -> Any:
        """Leave the rows as they are: the view takes the last of them."""
        return queryset


class ToolCallFilterSet(FactFilterSet):
    """Tool calls, also by tool, outcome and task."""

    tool_name = TextFilter()
    status = django_filters.ChoiceFilter(choices=ToolCall.Status.choices)
    task = IntegerFilter(field_name="task_id")
    q = SearchFilter()

    class Meta:
        model = ToolCall
        fields: tuple[str, ...] = ()


class ToolStatisticsFilterSet(CountedFilterSet, ToolCallFilterSet):
    """Tool calls that are counted."""


class LLMCallFilterSet(FactFilterSet):
    """LLM calls, also by model and provider."""

    model = TextFilter()
    provider = TextFilter()

    class Meta:
        model = LLMCall
        fields: tuple[str, ...] = ()


class TokenUsageFilterSet(FactFilterSet):
    """Token usage, also by who used which model, and by what is known of the cost."""

    model = TextFilter()
    provider = TextFilter()
    user_id = TextFilter()
    source = TextFilter()
    cost_status = django_filters.ChoiceFilter(choices=TokenUsage.CostStatus.choices)

    class Meta:
        model = TokenUsage
        fields: tuple[str, ...] = ()


class ErrorFilterSet(FactFilterSet):
    """Errors, also by type and severity."""

    error_type = TextFilter()
    severity = django_filters.ChoiceFilter(choices=ErrorRecord.Severity.choices)

    class Meta:
        model = ErrorRecord
        fields: tuple[str, ...] = ()


class ErrorStatisticsFilterSet(CountedFilterSet, ErrorFilterSet):
    """Errors that are counted."""


class MetricFilterSet(FactFilterSet):
    """Metrics, also by what was measured."""

    metric_type = TextFilter()

    class Meta:
        model = Metric
        fields: tuple[str, ...] = ()


class TaskFilterSet(LedgerFilterSet):
    """Tasks by session, status and time of creation."""

    session_id = TextFilter(method="in_session")
    status = django_filters.ChoiceFilter(choices=WorkStatus.choices)
    start = InstantFilter(field_name="created_at", lookup_expr="gte")
    end = InstantFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Task
        fields: tuple[str, ...] = ()

    def in_session(self, queryset: Any, name: str, value: str) -> Any:
        """Return the tasks of one session."""
        return of_session(self, queryset, value)


class SubtaskFilterSet(LedgerFilterSet):
    """Subtasks by task and status."""

    task = IntegerFilter(field_name="task_id")
    status = django_filters.ChoiceFilter(choices=WorkStatus.choices)

    class Meta:
        model = Subtask
        fields: tuple[str, ...] = ()
