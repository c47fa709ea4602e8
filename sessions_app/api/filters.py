"""Which rows a list shows: one filterset a list, every filter served by an index of its model."""

from typing import Any

import django_filters
from django.db.models import Q, QuerySet

from config.shared.api.filters import InstantFilter, IntegerFilter, LedgerFilterSet, PrefixFilter, TextFilter
from config.shared.querysets import starts_with
from sessions_app.models import (
    ApiKey,
    AuditEntry,
    ConfigSnapshot,
    Document,
    Job,
    KnowledgeSource,
    Session,
    SessionLabel,
    SessionState,
    SystemConfig,
    UserConfig,
    Workflow,
    WorkflowRun,
)

METADATA_PREFIX = "metadata."
STATE_LOOKUPS = {"iteration_count_min": "iteration_count__gte", "iteration_count_max": "iteration_count__lte"}


class SessionFilterSet(LedgerFilterSet):
    """`metadata.<key>=` finds sessions by a plain value of their metadata."""

    prefixes = (METADATA_PREFIX,)

    session_id = TextFilter()
    status = django_filters.ChoiceFilter(choices=Session.Status.choices)
    user_id = TextFilter()
    workflow = TextFilter(field_name="workflow__workflow_id")
    tag = TextFilter(method="with_tag")
    created_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_before = InstantFilter(field_name="created_at", lookup_expr="lt")
    updated_after = InstantFilter(field_name="updated_at", lookup_expr="gte")
    updated_before = InstantFilter(field_name="updated_at", lookup_expr="lt")
    current_step = TextFilter(method="standing", label="Sessions whose state stands at this step.")
    workflow_name = TextFilter(method="standing", label="Sessions whose state names this workflow.")
    iteration_count_min = IntegerFilter(
        method="standing", label="Sessions whose state has at least so many iterations."
    )
    iteration_count_max = IntegerFilter(method="standing", label="Sessions whose state has at most so many iterations.")
    q = TextFilter(method="found", label="A part of the title, or the beginning of the session or user id.")

    class Meta:
        model = Session
        fields: tuple[str, ...] = ()

    def with_tag(self, queryset: Any, name: str, value: str) -> Any:
        """Return the sessions that carry the tag."""
        return queryset.labelled(SessionLabel.Kind.TAG, "", value)

    def standing(self, queryset: Any, name: str, value: Any) -> Any:
        """Return the sessions whose current state is like that."""
        states = SessionState.objects.current().filter(**{STATE_LOOKUPS.get(name, name): value})
        return queryset.filter(pk__in=states.values("session_id"))

    def found(self, queryset: QuerySet[Session], name: str, value: str) -> QuerySet[Session]:
        """Return the sessions that the text finds."""
        return queryset.filter(
            Q(title__icontains=value) | starts_with("session_id", value) | starts_with("user_id", value)
        )

    def filter_queryset(self, queryset: Any) -> Any:
        """Apply the filters, and those on metadata keys."""
        rows = super().filter_queryset(queryset)
        for name, value in self.data.items():
            if name.startswith(METADATA_PREFIX):
                key = name.removeprefix(METADATA_PREFIX)
                rows = rows.labelled(SessionLabel.Kind.METADATA, key, value)
        return rows


class CheckpointFilterSet(LedgerFilterSet):
    """Versions of one session's state, along its own index."""

    current_step = TextFilter()
    workflow_name = TextFilter()
    turn_id = TextFilter()
    created_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_before = InstantFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = SessionState
        fields: tuple[str, ...] = ()


class WorkflowFilterSet(LedgerFilterSet):
    """Workflows by the beginning of their id."""

    prefix = PrefixFilter(field_name="workflow_id")

    class Meta:
        model = Workflow
        fields: tuple[str, ...] = ()


class WorkflowRunFilterSet(LedgerFilterSet):
    """Runs of a workflow or in a session, by status and time."""

    workflow = TextFilter(field_name="workflow__workflow_id")
    session_id = TextFilter(field_name="session__session_id")
    status = django_filters.ChoiceFilter(choices=WorkflowRun.Status.choices)
    started_after = InstantFilter(field_name="started_at", lookup_expr="gte")
    started_before = InstantFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = WorkflowRun
        fields: tuple[str, ...] = ()


class TrueFalseFilter(django_filters.ChoiceFilter):
    """true or false; `method` gets a bool."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, choices=[("true", "true"), ("false", "false")], **kwargs)


class JobFilterSet(LedgerFilterSet):
    """Jobs of a kind, in a state, asked for in a period."""

    kind = TextFilter()
    state = django_filters.ChoiceFilter(choices=Job.State.choices)
    created_after = InstantFilter(field_name="created_at", lookup_expr="gte")
    created_before = InstantFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()


class KnowledgeSourceFilterSet(LedgerFilterSet):
    """Sources that are not deleted, or with `deleted=true` those that are."""

    status = django_filters.ChoiceFilter(choices=KnowledgeSource.Status.choices)
    source_type = TextFilter()
    deleted = TrueFalseFilter(method="nothing", label="true shows the deleted sources instead of the others.")

    class Meta:
        model = KnowledgeSource
        fields: tuple[str, ...] = ()

    def nothing(self, queryset: Any, name: str, value: str) -> Any:
        """Leave the rows as they are: `filter_queryset` always filters by deletion."""
        return queryset

    def filter_queryset(self, queryset: Any) -> Any:
        """Apply the filters, and leave out what is deleted unless it is asked for."""
        wants_deleted = self.form.cleaned_data.get("deleted") == "true"
        return super().filter_queryset(queryset).filter(deleted_at__isnull=not wants_deleted)


class ConfigFilterSet(LedgerFilterSet):
    """Settings of a section, or by the beginning of their key."""

    section = TextFilter()
    prefix = PrefixFilter(field_name="key")

    class Meta:
        model = SystemConfig
        fields: tuple[str, ...] = ()


class ConfigSnapshotFilterSet(LedgerFilterSet):
    """Snapshots by the beginning of their name."""

    prefix = PrefixFilter(field_name="name")

    class Meta:
        model = ConfigSnapshot
        fields: tuple[str, ...] = ()


class UserConfigFilterSet(LedgerFilterSet):
    """Users by the beginning of their id."""

    prefix = PrefixFilter(field_name="user_id")

    class Meta:
        model = UserConfig
        fields: tuple[str, ...] = ()


class DocumentFilterSet(LedgerFilterSet):
    """Documents by the beginning of their key."""

    prefix = PrefixFilter(field_name="key")

    class Meta:
        model = Document
        fields: tuple[str, ...] = ()


class ApiKeyFilterSet(LedgerFilterSet):
    """Keys by role."""

    role = django_filters.ChoiceFilter(choices=ApiKey.Role.choices)

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = ()


class AuditFilterSet(LedgerFilterSet):
    """Entries by what was done to what, by whom and when."""

    action = TextFilter()
    target_type = TextFilter()
    target_id = TextFilter()
    actor = TextFilter()
    at_after = InstantFilter(field_name="at", lookup_expr="gte")
    at_before = InstantFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: tuple[str, ...] = ()
