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


def sessions(request: HttpRequest) -> JsonResponse:
    """Answer the newest sessions, with the columns that our list has."""
    rows = Session.objects.order_by("-created_at", "-id").select_related("activity", "workflow")[:PAGE]
    return JsonResponse({"results": [_session(row) for row in rows]})


def _session(row: Session) -> dict:
    names = (
        "session_id",
        "user_id",
        "title",
        "status",
        "tags",
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
    )
    activity = {"last_activity_at": row.activity.last_activity_at, "message_count": row.activity.message_count}
    return {**{name: getattr(row, name) for name in names}, **activity, "workflow": row.workflow_id}


def messages(request: HttpRequest) -> JsonResponse:
    """Answer the newest messages over all sessions."""
    rows = Message.objects.order_by("-timestamp", "-id").select_related("session")[:PAGE]
    names = ("id", "record_id", "timestamp", "sequence", "role", "content", "metadata")
    found = [{**{name: getattr(row, name) for name in names}, "session_id": row.session.session_id} for row in rows]
    return JsonResponse({"results": found})


urlpatterns = [path("sessions/", sessions), path("messages/", messages)]
