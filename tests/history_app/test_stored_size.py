"""How many bytes a fact takes: architecture.md, "facts are narrow"."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from history_app.services.ingest import records_write
from history_app.services.records import record_parse

pytestmark = pytest.mark.django_db

ROWS = 20_000
LIMIT_BYTES = 600
START = datetime(2026, 3, 1, tzinfo=UTC)
MODELS = ("gpt-4o-2024-08-06", "claude-sonnet-4-6", "gpt-4o-mini")


def _usage(number):
    return {
        "record_type": "token_usage",
        "session_id": f"react-260301-{number // 40:06d}",
        "record_id": str(uuid.uuid4()),
        "timestamp": START + timedelta(seconds=7 * number),
        "user_id": f"user-{number % 500:04d}",
        "model": MODELS[number % 3],
        "provider": "openai",
        "prompt_tokens": 800 + number % 900,
        "completion_tokens": 90,
        "source": "api_call",
        "reported_cost": f"0.00{number % 997:03d}5",
    }


def test_a_token_usage_row_with_its_indexes_takes_at_most_600_bytes(project, now):
    if connection.vendor != "postgresql":
        pytest.skip("the limit is stated for PostgreSQL")
    for start in range(0, ROWS, 2000):
        drafts = [record_parse(_usage(number), now=now) for number in range(start, start + 2000)]
        records_write(project_id=project.pk, drafts=drafts, now=now)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('history_app_tokenusage')")
        size = cursor.fetchone()[0] / ROWS
    print(f"{size:.0f} bytes a row")
    assert size <= LIMIT_BYTES
