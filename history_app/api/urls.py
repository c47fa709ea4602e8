"""The addresses of the past."""

from config.shared.api.routers import ANY_ID, LedgerRouter
from history_app.api.views.conversations import SessionMessageViewSet
from history_app.api.views.facts import (
    ErrorViewSet,
    LLMCallViewSet,
    MessageViewSet,
    MetricViewSet,
    TokenUsageViewSet,
    ToolCallViewSet,
)
from history_app.api.views.records import RecordsViewSet
from history_app.api.views.tasks import SubtaskViewSet, TaskViewSet

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

urlpatterns = router.urls
