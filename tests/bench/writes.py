"""Writing: ours in-process beside raw psycopg and COPY into copies of the same tables, or beside executemany."""

import itertools
import multiprocessing
import random
import re
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connection, transaction

from history_app.services.recording import record, record_many
from sessions_app.models import Project, Session
from tests.bench.report import Line
from tests.bench.rows import WORDS
from tests.bench.sections import Work

COPY_OF, COPY_WITH_KEY = "bench_message", "bench_message_fk"
COLUMNS = ("project_id", "session_id", "record_id", "timestamp", "metadata", "role", "content", "sequence")
INSERT = f"INSERT INTO {COPY_OF} ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
NOW = datetime(2026, 9, 1, tzinfo=UTC)
BATCHES = (1000, 5000)
PROCESSES, THREADS = 4, 4

Record = dict[str, Any]
_NAMES = re.compile('"(message_[a-z_]+)"')


def measure(work: Work) -> list[Line]:
    """Measure the writes that the database allows."""
    project = Project.objects.get(slug="default").pk
    copy_tables()
    rounds = work.scaled(30, 3)
    if connection.vendor != "postgresql":
        return [batch_line(project, rounds, size, raw=_executemany, table=COPY_OF, goal=">= 0.5") for size in BATCHES]
    ones, seconds = work.scaled(2000, 200), work.scaled(8, 1) / 2
    return [
        single_line(project, ones),
        late_line(project, ones),
        *(batch_line(project, rounds, size, raw=_copy, table=COPY_OF, goal=">= 0.6") for size in BATCHES),
        *(batch_line(project, rounds, size, raw=_copy, table=COPY_WITH_KEY, goal=">= 0.6") for size in BATCHES),
        *many_lines(project, seconds),
    ]


def copy_tables() -> None:
    """Make the tables of the raw contenders: empty, with the columns and indexes of ours."""
    with connection.cursor() as cursor:
        for table in (COPY_OF, COPY_WITH_KEY):
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
            if connection.vendor == "postgresql":
                cursor.execute(f"CREATE TABLE {table} (LIKE history_app_message INCLUDING ALL)")
        if connection.vendor == "postgresql":
            key = "FOREIGN KEY (session_id) REFERENCES sessions_app_session DEFERRABLE INITIALLY DEFERRED"
            cursor.execute(f"ALTER TABLE {COPY_WITH_KEY} ADD {key}")
            return
        cursor.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'history_app_message' AND sql IS NOT NULL")
        for (written,) in cursor.fetchall():
            statement = written.replace('"history_app_message"', f'"{COPY_OF}"')
            cursor.execute(_NAMES.sub(rf'"{COPY_OF}_\1"', statement))


def records(session: str) -> Iterator[Record]:
    """Yield messages of about 500 characters for one session, each with an id of its own."""
    picker = random.Random(session)
    for number in itertools.count():
        yield {
            "record_type": "message",
            "session_id": session,
            "record_id": str(uuid.uuid4()),
            "timestamp": "2026-08-31T12:00:00Z",
            "role": "user" if number % 2 else "assistant",
            "content": " ".join(picker.choices(WORDS, k=90)),
        }


def row(project: int, record: Record, sequence: int, session: int = 1) -> tuple[Any, ...]:
    """Return the row that a record becomes, for the raw contenders."""
    at = datetime.fromisoformat(record["timestamp"])
    return (project, session, record["record_id"], at, None, record["role"], record["content"], sequence)


def timed(work: Callable[[], Any]) -> float:
    """Return how many seconds the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _raw_connection() -> "psycopg.Connection[Any]":
    made = connection.get_new_connection({**connection.get_connection_params(), "prepare_threshold": 5})
    made.autocommit = True
    return made  # type: ignore[no-any-return]


def single_line(project: int, rounds: int) -> Line:
    """One durable append after the other: number, activity and id checked, beside a bare INSERT."""
    ours, limit = singles(project, f"single-{uuid.uuid4()}", rounds)
    note = "one session, one writer; limit: psycopg INSERT of the same row"
    return Line("single append", 1 / ours, 1 / limit, "messages/s", ">= 0.6", note)


def singles(project: int, session: str, rounds: int) -> tuple[float, float]:
    """Return the median seconds of our append and of a bare INSERT, in turn."""
    source = records(session)
    record_many(project_id=project, records=[next(source)], now=NOW)
    ours, limit = [], []
    with _raw_connection() as raw, psycopg.Cursor(raw) as cursor:
        for _ in range(rounds):
            one, other = next(source), next(source)
            ours.append(timed(lambda one=one: record(project_id=project, fields=one, now=NOW)))
            values = row(project, other, time.time_ns())
            limit.append(timed(lambda values=values: cursor.execute(INSERT, values)))
    return statistics.median(ours), statistics.median(limit)


def late_line(project: int, rounds: int) -> Line:
    """An append to a session of 100,000 messages beside one to a young session."""
    long, young = f"long-{uuid.uuid4()}", f"young-{uuid.uuid4()}"
    source, other = records(long), records(young)
    for _ in range(20):
        record_many(project_id=project, records=list(itertools.islice(source, 5000)), now=NOW)
    record_many(project_id=project, records=list(itertools.islice(other, 10)), now=NOW)
    late, early = [], []
    for _ in range(rounds // 2):
        for taken, some in ((late, source), (early, other)):
            one = next(some)
            taken.append(timed(lambda one=one: record(project_id=project, fields=one, now=NOW)))
    limit = 1000 * statistics.median(early)
    return Line(
        "append at message 100,000", 1000 * statistics.median(late), limit, "ms", "<= 1.1", "limit: at message 10"
    )


def batch_line(project: int, rounds: int, size: int, *, raw: Callable[..., None], table: str, goal: str) -> Line:
    """Batches through the Python service, validated, beside the same rows raw in one transaction each."""
    session = f"batch-{uuid.uuid4()}"
    source = records(session)
    record_many(project_id=project, records=[next(source)], now=NOW)
    pk = Session.objects.get(session_id=session).pk
    ours, limit, given = [], [], itertools.count(time.time_ns())
    for _ in range(rounds):
        batch = list(itertools.islice(source, size))
        ours.append(timed(lambda batch=batch: record_many(project_id=project, records=batch, now=NOW)))
        rows = [row(project, each, next(given), pk) for each in itertools.islice(source, size)]
        limit.append(timed(lambda rows=rows: raw(table, rows)))
    held = "indexes and foreign key" if table == COPY_WITH_KEY else "indexes"
    note = f"limit: {raw.__name__.strip('_')} of as many rows into a table with the same columns, {held}"
    rate = (size / statistics.median(ours), size / statistics.median(limit))
    return Line(f"batches of {size:,}", *rate, "messages/s", goal, note)


def _copy(table: str, rows: list[tuple[Any, ...]]) -> None:
    names = ", ".join(COLUMNS)
    with (
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy,
    ):
        for each in rows:
            copy.write_row(each)


def _executemany(_table: str, rows: list[tuple[Any, ...]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(INSERT, [(*each[:3], str(each[3].replace(tzinfo=None)), *each[4:]) for each in rows])


def many_lines(project: int, seconds: float) -> list[Line]:
    """Sixteen writers, each with its own session, one durable append at a time: how many, and how long one takes."""
    best: dict[str, list[float]] = {"ours": [], "raw": []}
    # The children are forked, and must not share the parent's socket with the database.
    connection.close()
    forking = multiprocessing.get_context("fork")
    for name in ("raw", "ours", "raw", "ours"):
        with forking.Pool(PROCESSES) as pool:
            taken = list(itertools.chain(*pool.starmap(_writers, [(name, project, seconds)] * PROCESSES)))
        best[name] = max(best[name], taken, key=len)
    rates = [len(best[name]) / seconds for name in ("ours", "raw")]
    slow = [1000 * statistics.quantiles(best[name], n=100)[-1] for name in ("ours", "raw")]
    note = f"{PROCESSES} processes of {THREADS} threads; limit: psycopg INSERT"
    return [
        Line("16 writers, own sessions", *rates, "messages/s", ">= 0.5", note),
        Line("16 writers, own sessions, p99", *slow, "ms", "<= 3", "of one append"),
    ]


def _writers(name: str, project: int, seconds: float) -> list[float]:
    """Write in several threads for some seconds and return what each write took; runs in a process of its own."""
    ready = threading.Barrier(THREADS + 1)
    taken: list[float] = []

    def run() -> None:
        source = records(f"many-{uuid.uuid4()}")
        write = _our_writer(project, source) if name == "ours" else _raw_writer(project)
        prepared = [next(source) for _ in range(int(2000 * seconds))]
        ready.wait()
        now, mine = time.perf_counter(), []
        until = now + seconds
        for count, each in enumerate(itertools.cycle(prepared)):
            write({**each, "record_id": f"{each['record_id']}{count}"})
            before, now = now, time.perf_counter()
            mine.append(now - before)
            if now >= until:
                break
        taken.extend(mine)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    for thread in threads:
        thread.join()
    return taken


def _our_writer(project: int, source: Iterator[Record]) -> Callable[[Record], Any]:
    record_many(project_id=project, records=[next(source)], now=NOW)
    return lambda one: record(project_id=project, fields=one, now=NOW)


def _raw_writer(project: int) -> Callable[[Record], Any]:
    cursor, numbers = psycopg.Cursor(_raw_connection()), itertools.count(random.getrandbits(60))
    return lambda record: cursor.execute(INSERT, row(project, record, next(numbers)))
