"""How many bytes a message takes on PostgreSQL, beside the same rows in a bare table with the same indexes."""

import itertools
import uuid

from django.db import connection, transaction

from history_app.services.recording import record_many
from sessions_app.models import Project, Session
from tests.bench.report import Line
from tests.bench.sections import Work
from tests.bench.writes import NOW, records, row

TABLE, COPY_OF = "history_app_message", "bench_size"
COLUMNS = ("project_id", "session_id", "record_id", "timestamp", "metadata", "role", "content", "sequence")
SESSION_MESSAGES = 500


def measure(work: Work) -> list[Line]:
    """Measure the growth of both tables by as many messages; the goal is stated for PostgreSQL."""
    if connection.vendor != "postgresql":
        return []
    project, count = Project.objects.get(slug="default").pk, work.scaled(50_000, 2000)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {COPY_OF}")
        cursor.execute(f"CREATE TABLE {COPY_OF} (LIKE {TABLE} INCLUDING ALL)")
    before = _size(TABLE), _size(COPY_OF)
    for _ in range(count // SESSION_MESSAGES):
        name = f"size-{uuid.uuid4()}"
        some = list(itertools.islice(records(name), SESSION_MESSAGES))
        record_many(project_id=project, records=some, now=NOW)
        pk = Session.objects.get(session_id=name).pk
        command = f"COPY {COPY_OF} ({', '.join(COLUMNS)}) FROM STDIN"
        with transaction.atomic(), connection.cursor() as cursor, cursor.copy(command) as copy:
            for place, each in enumerate(some, 1):
                copy.write_row(row(project, each, place, pk))
    ours, limit = ((_size(table) - was) / count for table, was in zip((TABLE, COPY_OF), before, strict=True))
    note = f"{count:,} messages of about 500 characters; limit: the same rows by COPY in a table with the same indexes"
    return [Line("a message with its indexes", ours, limit, "bytes", "<= 1.3", note)]


def _size(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s)", [table])
        return int(cursor.fetchone()[0])
