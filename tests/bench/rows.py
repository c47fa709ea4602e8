"""Many rows in little time: the store that the page benchmarks read."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from sessions_app.models import Session

START = datetime(2026, 8, 1, tzinfo=UTC)
WORDS = [
    "the",
    "agent",
    "should",
    "check",
    "order",
    "status",
    "before",
    "issuing",
    "a",
    "refund",
    "and",
    "then",
    "notify",
    "the",
    "customer",
    "by",
    "email",
    "because",
    "policy",
    "requires",
    "approval",
    "above",
    "the",
    "limit",
    "please",
    "retry",
    "the",
    "request",
    "after",
    "a",
    "timeout",
    "and",
    "summarize",
    "what",
    "the",
    "tool",
    "returned",
]
STATUSES = ("active", "paused", "completed", "failed")
ROLES = ("user", "assistant", "tool", "assistant")
USERS = 1000
BATCH = 5000

SESSION_COLUMNS = (
    "id",
    "project_id",
    "session_id",
    "user_id",
    "title",
    "status",
    "workflow_config_path",
    "created_at",
    "updated_at",
    "version",
)
ACTIVITY_COLUMNS = ("session_id", "last_sequence", "message_count", "last_activity_at")
MESSAGE_COLUMNS = ("project_id", "session_id", "record_id", "timestamp", "sequence", "role", "content", "metadata")


def fill(*, project_id: int, sessions: int, messages_each: int, texts: int = 200) -> None:
    """Write sessions with their activity and numbered messages of about 300 bytes, by the fastest way there is.

    So many different `texts` they have: what repeats itself takes little room where it is compressed.
    """
    picker = random.Random(1)
    said = [" ".join(picker.choice(WORDS) for _ in range(50)) for _ in range(texts)]
    # Behind what other sections have stored.
    first = (Session.objects.aggregate(Max("pk"))["pk__max"] or 0) + 1
    keys = range(first, first + sessions)
    load("sessions_app_session", SESSION_COLUMNS, (_session(project_id, n, pk) for n, pk in enumerate(keys, 1)))
    load(
        "sessions_app_sessionactivity",
        ACTIVITY_COLUMNS,
        (_activity(n, pk, messages_each) for n, pk in enumerate(keys, 1)),
    )
    load("history_app_message", MESSAGE_COLUMNS, _messages(project_id, keys, messages_each, said))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval(pg_get_serial_sequence('sessions_app_session', 'id'), %s)", [keys[-1]])
            cursor.execute("ANALYZE")


def _session(project_id: int, number: int, pk: int) -> tuple[Any, ...]:
    at = START + timedelta(seconds=number)
    user, status = f"user-{number % USERS:04d}", STATUSES[number % len(STATUSES)]
    return (pk, project_id, f"session-{number:07d}", user, f"Order {number}", status, "", at, at, 1)


def _activity(number: int, pk: int, messages: int) -> tuple[Any, ...]:
    return (pk, messages, messages, START + timedelta(seconds=number + messages))


def _messages(project_id: int, keys: range, each: int, texts: list[str]) -> Iterator[tuple[Any, ...]]:
    for sequence in range(1, each + 1):
        for session in keys:
            at = START + timedelta(seconds=session - keys[0] + 1 + sequence)
            text = texts[(session + sequence) % len(texts)]
            role = ROLES[sequence % len(ROLES)]
            yield (project_id, session, f"msg-{sequence}", at, sequence, role, text, None)


def load(table: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    names = ", ".join(columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(columns))
        for part in _parts(rows):
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", part)


def _parts(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    part: list[tuple[Any, ...]] = []
    for row in rows:
        part.append(row)
        if len(part) == BATCH:
            yield part
            part = []
    if part:
        yield part
