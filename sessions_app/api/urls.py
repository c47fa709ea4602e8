"""The addresses of the present."""

from typing import Any

from django.urls import re_path

from config.shared.api.routers import ANY_ID, LedgerRouter
from sessions_app.api.views.access import ApiKeyViewSet, AuditLogViewSet, ProjectViewSet
from sessions_app.api.views.config_trees import ConfigTreeViewSet
from sessions_app.api.views.configuration import ConfigSnapshotViewSet, ConfigViewSet, UserConfigViewSet
from sessions_app.api.views.documents import DocumentViewSet
from sessions_app.api.views.jobs import JobViewSet
from sessions_app.api.views.knowledge import KnowledgeSourceViewSet
from sessions_app.api.views.sessions import CheckpointViewSet, SessionViewSet
from sessions_app.api.views.workflows import WorkflowRunViewSet, WorkflowViewSet

router = LedgerRouter()
# What is below a session stands before the session, whose id may hold slashes.
router.register(rf"sessions/(?P<session_id>{ANY_ID})/checkpoints", CheckpointViewSet, basename="checkpoint")
router.register("sessions", SessionViewSet, basename="session")
router.register("workflows", WorkflowViewSet, basename="workflow")
router.register("workflow-runs", WorkflowRunViewSet, basename="workflow-run")
router.register("knowledge-sources", KnowledgeSourceViewSet, basename="knowledge-source")
router.register("user-configs", UserConfigViewSet, basename="user-config")
router.register("config-snapshots", ConfigSnapshotViewSet, basename="config-snapshot")
router.register("configs", ConfigViewSet, basename="config")
router.register("jobs", JobViewSet, basename="job")
router.register("api-keys", ApiKeyViewSet, basename="api-key")
router.register("audit-log", AuditLogViewSet, basename="audit-entry")
router.register("projects", ProjectViewSet, basename="project")

_DOCUMENT: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns: list[Any] = [
    *router.urls,
    re_path(r"^configs\.zip/?$", ConfigTreeViewSet.as_view({"get": "export", "post": "bring_in"}), name="config-tree"),
    re_path(
        r"^documents/transaction/?$", DocumentViewSet.as_view({"post": "transaction"}), name="document-transaction"
    ),
    re_path(r"^documents/(?P<namespace>[^/\x00]+)/?$", DocumentViewSet.as_view({"get": "list"}), name="document-list"),
    re_path(
        rf"^documents/(?P<namespace>[^/\x00]+)/(?P<key>{ANY_ID})/?$",
        DocumentViewSet.as_view(_DOCUMENT),
        name="document-detail",
    ),
]
