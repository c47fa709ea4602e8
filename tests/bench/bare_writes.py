"""The limit of recording over HTTP: bare Django views, without middleware, login, checks, numbers or idempotency."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings

settings.MIDDLEWARE = []
settings.ROOT_URLCONF = __name__

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()

import orjson
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

TABLE = "bench_message"
COLUMNS = ("project_id", "session_id", "record_id", "timestamp", "role", "content", "sequence")
INSERT = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
COPY = f"COPY {TABLE} ({', '.join(COLUMNS)}) FROM STDIN"


def insert(request: HttpRequest) -> HttpResponse:
    """Insert one row."""
    row = _row(orjson.loads(request.body))
    with connection.cursor() as cursor:
        cursor.execute(INSERT, row)
    return HttpResponse(b'{"ok":1}', status=201, content_type="application/json")


def copy(request: HttpRequest) -> HttpResponse:
    """COPY many rows."""
    rows = orjson.loads(request.body)
    with connection.cursor() as cursor, cursor.copy(COPY) as copying:
        for row in rows:
            copying.write_row(_row(row))
    return HttpResponse(b'{"accepted":%d}' % len(rows), status=201, content_type="application/json")


def _row(sent: dict[str, object]) -> tuple[object, ...]:
    return (1, 1, sent["record_id"], timezone.now(), sent["role"], sent["content"], sent["number"])


urlpatterns = [path("one/", insert), path("many/", copy)]
