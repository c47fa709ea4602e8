"""The addresses of the past."""

from typing import Any

from django.urls import re_path

from config.shared.api.routers import ANY_ID, LedgerRouter
from history_app.api.views.conversations import SessionMessageViewSet
from history_app.api.views.events import SessionEventsViewSet
from history_app.api.views.exports import SessionExportViewSet
from history_app.api.views.facts import (
    ErrorViewSet,
    LLMCallViewSet,
    MessageViewSet,
    MetricViewSet,
    TokenUsageViewSet,
    ToolCallViewSet,
)
from history_app.api.views.forks import SessionForkViewSet
from history_app.api.views.records import RecordsViewSet
from history_app.api.views.restore import RestoreViewSet
from history_app.api.views.searches import SearchViewSet
from history_app.api.views.statistics import ErrorStatisticsViewSet, SessionFiguresViewSet, ToolStatisticsViewSet
from history_app.api.views.tasks import SubtaskViewSet, TaskViewSet
from history_app.api.views.timeline import SessionTimelineViewSet
from history_app.api.views.turns import TurnViewSet

router = LedgerRouter()
router.register(rf"sessions/(?P<session_id>{ANY_ID})/messages", SessionMessageViewSet, basename="session-message")
router.register("records", RecordsViewSet, basename="record")
router.register("messages", MessageViewSet, basename="message")
router.register("tool-calls", ToolCallViewSet, basename="tool-call")
router.register("llm-calls", LLMCallViewSet, basename="llm-call")
router.register("token-usage", TokenUsageViewSet, basename="token-usage")
router.register("errors", ErrorViewSet, basename="error")
router.register("metrics", MetricViewSet, basename="metric")
router.register("tasks", TaskViewSet, basename="task")
router.register("subtasks", SubtaskViewSet, basename="subtask")


def _of_session(action: str, view: Any, **methods: str) -> Any:
    """Return the address of what is below one session."""
    name = f"session-{action}"
    return re_path(rf"^sessions/(?P<session_id>{ANY_ID})/{action}/?$", view.as_view(methods), name=name)


urlpatterns: list[Any] = [
    _of_session("restore", RestoreViewSet, get="retrieve"),
    _of_session("turn", TurnViewSet, post="create"),
    _of_session("timeline", SessionTimelineViewSet, get="timeline"),
    _of_session("fork", SessionForkViewSet, post="fork"),
    _of_session("export", SessionExportViewSet, get="export"),
    _of_session("events", SessionEventsViewSet, get="events"),
    *[_of_session(name, SessionFiguresViewSet, get=name) for name in ("summary", "statistics", "performance")],
    re_path(r"^tool-calls/statistics/?$", ToolStatisticsViewSet.as_view({"get": "statistics"}), name="tool-statistics"),
    re_path(r"^errors/statistics/?$", ErrorStatisticsViewSet.as_view({"get": "statistics"}), name="error-statistics"),
    re_path(r"^search/?$", SearchViewSet.as_view({"get": "search"}), name="search"),
    *router.urls,
]
