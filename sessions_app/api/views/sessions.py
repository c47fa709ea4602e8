"""Sessions, their state and checkpoints, and the agents in memory."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.fencing import FENCE_PARAMETER, stated_fence
from config.shared.api.routers import ANY_ID, NUMBER
from config.shared.api.viewsets import (
    CreateMixin,
    DestroyMixin,
    LedgerViewSet,
    ListMixin,
    RetrieveMixin,
    SaveMixin,
    VersionedMixin,
)
from config.shared.errors import FieldError, InvalidInput, NotFound
from config.shared.ids import uuid7
from config.shared.versions import ABSENT
from sessions_app.api.filters import CheckpointFilterSet, SessionFilterSet
from sessions_app.api.serializers.sessions import (
    BatchDeletedSerializer,
    BatchDeleteSerializer,
    CleanupSerializer,
    HeartbeatSerializer,
    ResidencySerializer,
    RollbackSerializer,
    SavedBatchSerializer,
    SessionBatchSerializer,
    SessionSerializer,
    SessionStatusSerializer,
    StateSerializer,
)
from sessions_app.models import Session, SessionState
from sessions_app.selectors import session_counts, session_find
from sessions_app.services.cleanup import sessions_cleanup
from sessions_app.services.drafts import SessionDraft, StateDraft
from sessions_app.services.residency import (
    agent_heartbeat,
    agent_release,
    residencies_newest,
    residency_counts,
)
from sessions_app.services.session_cache import session_read
from sessions_app.services.session_store.batches import sessions_delete, sessions_save
from sessions_app.services.sessions import session_create, session_delete, session_save, session_update
from sessions_app.services.states import state_current, state_rollback, state_save, state_update

# What one call cleans up: a caller waits for it.
CLEANED_AT_ONCE = 10_000
_METADATA = OpenApiParameter(
    "metadata.{key}",
    OpenApiTypes.STR,
    description="Sessions whose metadata has this plain value under the key, such as metadata.customer=ACME.",
)


@extend_schema_view(list=extend_schema(parameters=[_METADATA]))
class SessionViewSet(VersionedMixin, ListMixin, CreateMixin, RetrieveMixin, SaveMixin, DestroyMixin, LedgerViewSet):
    """Sessions: one conversation or piece of work of an agent each."""

    queryset = Session.objects.select_related("workflow", "activity")
    serializer_class = SessionSerializer
    filterset_class = SessionFilterSet
    lookup_field = "session_id"
    lookup_value_regex = ANY_ID
    ordering = "-created_at"
    orderings = {
        "created_at": "created_at",
        "updated_at": "updated_at",
        "last_activity_at": "activity__last_activity_at",
    }
    action_parameters = {"counts": ("detail",)}

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the session: its documents from the cache where that holds the version that is stored now."""
        projects = self.caller.project_ids
        if projects is None or len(projects) != 1:
            return super().retrieve(request, *args, **kwargs)
        session = session_read(project_id=next(iter(projects)), session_id=self.path_id)
        if session is None:
            raise NotFound
        return self.answer(session)

    def perform_create(self, values: dict[str, Any]) -> Session:
        """Make the session of a POST."""
        draft = SessionDraft(**{"session_id": uuid7(), **emptied(values)})
        return session_create(project_id=self.project_id, draft=draft, now=timezone.now())

    def completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """The draft of a session knows the defaults itself."""
        return values

    def perform_save(self, values: dict[str, Any]) -> tuple[Session, bool]:
        """Make or replace the session of a PUT."""
        draft = SessionDraft(session_id=self.path_id, **emptied(values))
        return session_save(
            project_id=self.project_id, draft=draft, now=timezone.now(), expected_version=self.expected_version
        )

    def perform_update(self, row: Session, values: dict[str, Any]) -> Session:
        """Change the session of a PATCH."""
        return session_update(session=row, changes=values, now=timezone.now(), expected_version=self.expected_version)

    def perform_destroy(self, row: Session) -> None:
        """Remove the session with all that hangs on it."""
        session_delete(session=row, caller=self.caller, now=timezone.now(), expected_version=self.expected_version)

    def answer(self, row: Session, code: int = status.HTTP_200_OK) -> Response:
        """Return the session; after a write with the activity that was written beside it."""
        if self.request.method not in ("GET", "HEAD"):
            row = Session.objects.select_related("workflow", "activity").get(pk=row.pk)
        return super().answer(row, code)

    @extend_schema(request=SessionBatchSerializer, responses={200: SavedBatchSerializer})
    @action(detail=False, methods=["post"], url_path="batch", serializer_class=SessionBatchSerializer)
    def batch(self, request: Request) -> Response:
        """Create or replace many sessions, all or none; each as PUT on its address does."""
        drafts = [SessionDraft(**emptied(values)) for values in self.validated()["sessions"]]
        try:
            saved = sessions_save(project_id=self.project_id, drafts=drafts, now=timezone.now())
        except InvalidInput as error:
            raise InvalidInput(
                [FieldError(f"/sessions{each.pointer}", each.detail) for each in error.errors]
            ) from error
        return Response(SavedBatchSerializer({"sessions": saved}).data)

    @extend_schema(request=BatchDeleteSerializer, responses={200: BatchDeletedSerializer})
    @action(detail=False, methods=["post"], url_path="batch-delete", serializer_class=BatchDeleteSerializer)
    def batch_delete(self, request: Request) -> Response:
        """Delete many sessions with all that hangs on them, all or none. 404 names those that are not there."""
        session_ids = self.validated()["session_ids"]
        deleted = sessions_delete(
            project_id=self.project_id, session_ids=session_ids, caller=self.caller, now=timezone.now()
        )
        return Response({"deleted": deleted})

    @extend_schema(responses=SessionStatusSerializer, parameters=[OpenApiParameter("detail", OpenApiTypes.BOOL)])
    @action(detail=False, url_path="status", filter_backends=[], pagination_class=None)
    def counts(self, request: Request) -> Response:
        """Return how many sessions there are by status, and how many agents are in memory or idle."""
        detail = request.query_params.get("detail", "false")
        if detail not in ("true", "false"):
            raise InvalidInput.at("/detail", "detail is true or false.")
        asked = {"caller": self.caller, "now": timezone.now()}
        idle = {"idle_seconds": settings.AGENT_IDLE_SECONDS}
        answer = {**session_counts(**asked), **residency_counts(**asked, **idle)}
        if detail == "true":
            rows = residencies_newest(**asked, **idle)
            answer["residencies"] = ResidencySerializer(rows, many=True, context=self.get_serializer_context()).data
        return Response(answer)

    @extend_schema(request=None, responses=CleanupSerializer)
    @action(detail=False, methods=["post"], filter_backends=[], pagination_class=None)
    def cleanup(self, request: Request) -> Response:
        """Release idle agents and mark expired sessions of the caller's projects now; removes no data."""
        done = sessions_cleanup(
            now=timezone.now(),
            idle_seconds=settings.AGENT_IDLE_SECONDS,
            projects=self.caller.project_ids,
            at_most=CLEANED_AT_ONCE,
        )
        return Response(CleanupSerializer(done).data)

    @extend_schema(responses=StateSerializer)
    @action(detail=True, serializer_class=StateSerializer)
    def state(self, request: Request, session_id: str) -> Response:
        """Return the session's current state. 404 while it has none."""
        state = state_current(session=self.get_object())
        if state is None:
            raise NotFound("The session has no state yet.")
        return self._state_answer(state)

    @extend_schema(
        request=StateSerializer, responses={200: StateSerializer, 201: StateSerializer}, parameters=[FENCE_PARAMETER]
    )
    @state.mapping.put
    def save_state(self, request: Request, session_id: str) -> Response:
        """Make this the session's state; the former one stays as a checkpoint."""
        values = self.validated()
        expected = stated_version(values, self.expected_version)
        draft = StateDraft(**emptied(values))
        return self._state_answer(state_save(session=self.get_object(), draft=draft, **self._conditions(expected)))

    @extend_schema(
        request=StateSerializer(partial=True),
        responses={200: StateSerializer, 201: StateSerializer},
        parameters=[FENCE_PARAMETER],
    )
    @state.mapping.patch
    def merge_state(self, request: Request, session_id: str) -> Response:
        """Change what is stated: `data` merges (RFC 7396), everything else replaces."""
        changes = self.validated(partial=True)
        expected = stated_version(changes, self.expected_version)
        return self._state_answer(
            state_update(session=self.get_object(), changes=changes, **self._conditions(expected))
        )

    def _conditions(self, expected: int | None) -> dict[str, Any]:
        """What a write of the state is held to: the version and the lease that the caller states."""
        return {"now": timezone.now(), "expected_version": expected, "fence": stated_fence(self.request)}

    def _state_answer(self, state: SessionState) -> Response:
        is_first_write = self.request.method not in ("GET", "HEAD") and state.version == 1
        code = status.HTTP_201_CREATED if is_first_write else status.HTTP_200_OK
        return Response(self.get_serializer(state).data, status=code)

    @extend_schema(request=HeartbeatSerializer, responses=HeartbeatSerializer, parameters=[FENCE_PARAMETER])
    @action(detail=True, methods=["post"], serializer_class=HeartbeatSerializer)
    def heartbeat(self, request: Request, session_id: str) -> Response:
        """Say that the session's agent is in memory; renews the sliding expiry, and answers with the agent's lease.

        With the `fence` of the agent's lease that lease goes on; without it the agent takes the session.
        """
        values = self.validated()
        stated, in_body = stated_fence(request), values.pop("fence", None)
        if stated and in_body and stated != in_body:
            raise InvalidInput.at("/fence", "The header states another token.")
        lease = agent_heartbeat(session=self.get_object(), now=timezone.now(), fence=stated or in_body, **values)
        return Response(self.get_serializer(lease).data)

    @extend_schema(request=None, responses={204: None}, parameters=[FENCE_PARAMETER])
    @heartbeat.mapping.delete
    def release(self, request: Request, session_id: str) -> Response:
        """Say that the agent left memory; no data is touched."""
        agent_release(session=self.get_object(), fence=stated_fence(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def emptied(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values without those that are null where null means the default."""
    return {name: value for name, value in values.items() if value is not None}


def stated_version(values: dict[str, Any], in_header: int | None) -> int | None:
    """Take `expected_version` out of a body and return the version that the write is meant for.

    Raises InvalidInput when body and If-Match name different ones.
    """
    stated = values.pop("expected_version", None)
    if stated is None:
        return in_header
    in_body = ABSENT if stated == 0 else int(stated)
    if in_header not in (None, in_body):
        raise InvalidInput.at("/expected_version", _("The body names another version than If-Match."))
    return in_body


class CheckpointViewSet(VersionedMixin, ListMixin, RetrieveMixin, LedgerViewSet):
    """Checkpoints: every version of a session's state, newest first."""

    queryset = SessionState.objects.all()
    serializer_class = StateSerializer
    lookup_field = "version"
    lookup_value_regex = NUMBER
    filterset_class = CheckpointFilterSet
    ordering = "-version"
    orderings = ("version",)

    def get_queryset(self) -> QuerySet[SessionState]:
        """Return the versions of the session that the path names."""
        if getattr(self, "swagger_fake_view", False):
            return SessionState.objects.none()
        return SessionState.objects.filter(
            session=session_find(caller=self.caller, session_id=self.kwargs["session_id"])
        )

    @extend_schema(request=RollbackSerializer, responses={201: StateSerializer}, parameters=[FENCE_PARAMETER])
    @action(detail=True, methods=["post"])
    def rollback(self, request: Request, session_id: str, version: str) -> Response:
        """Make this version the current state again, as a new version."""
        stated = RollbackSerializer(data=request.data or {})
        stated.is_valid(raise_exception=True)
        state = state_rollback(
            session=session_find(caller=self.caller, session_id=session_id),
            version=int(version),
            now=timezone.now(),
            expected_version=stated_version(dict(stated.validated_data), self.expected_version),
            fence=stated_fence(request),
        )
        return self.answer(state, status.HTTP_201_CREATED)
