"""The limit of the page benchmarks: plain Django views, without middleware, login, filters or pages, in JSON."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

settings.MIDDLEWARE = []
settings.ROOT_URLCONF = __name__

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

from django.http import HttpRequest, JsonResponse
from django.urls import path

from history_app.models import Message
from sessions_app.models import Session

PAGE = 50
# The default project: the first row of an empty database. Without it neither list would have an index.
PROJECT = 1


SESSION = (
    "session_id",
    "user_id",
    "title",
    "status",
    "tags",
    "workflow__workflow_id",
    "workflow_config_path",
    "agent_config",
    "workflow_config",
    "metadata",
    "context",
    "settings",
    "thread_configs",
    "external_ids",
    "ttl_seconds",
    "expires_at",
    "created_at",
    "updated_at",
    "version",
    "activity__last_activity_at",
    "activity__message_count",
)
MESSAGE = ("id", "session__session_id", "record_id", "timestamp", "sequence", "role", "content", "metadata")


def sessions(request: HttpRequest) -> JsonResponse:
    """Answer the newest sessions, with the columns that our list has."""
    rows = Session.objects.filter(project=PROJECT).order_by("-created_at", "-id").values(*SESSION)[:PAGE]
    return JsonResponse({"results": list(rows)})


def messages(request: HttpRequest) -> JsonResponse:
    """Answer the newest messages over all sessions, with the columns that our list has."""
    rows = (
        Message.objects.filter(project=PROJECT)
        .order_by("-timestamp", "-id")
        .values(*MESSAGE, "structured_content")[:PAGE]
    )
    return JsonResponse({"results": list(rows)})


urlpatterns = [path("sessions/", sessions), path("messages/", messages)]
