"""Searching many messages: ours beside the raw trigram index over the same rows, and what the index costs to fill."""

import multiprocessing
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection
from django.utils import timezone

from history_app.models import Message
from history_app.services.recording import record_many
from history_app.services.search_index.filling import search_index_fill
from history_app.services.search_index.reading import search
from sessions_app.models import Project
from tests.bench.report import Line
from tests.bench.rows import MESSAGE_COLUMNS, ROLES, START, load
from tests.bench.sections import Work
from tests.bench.texts import CHINESE_RARE, RARE, SCARCE, texts

QUERIES = {
    "a rare word (one message in 1,000)": (RARE, "<= 2"),
    "a scarce word (one in 50,000)": (SCARCE, "<= 2"),
    "a common word": ("refund", "<= 2"),
    "a word that is nowhere": ("nosuchwordhere", "<= 2"),
    "a frequent phrase": ("of the order", "<= 2"),
    "two Chinese characters": (CHINESE_RARE, "<= 500 ms"),
}
MESSAGES = 1_000_000
HITS = 50
RAW_INDEX = "bench_trigrams"
CONTENT = "SELECT id, timestamp, content FROM history_app_message WHERE project_id = %s AND content ILIKE %s"
NEWEST = "ORDER BY timestamp DESC, id DESC LIMIT 50"
# As the planner likes it, and with the candidates fetched first: the better of both is the limit.
RAW = (f"{CONTENT} {NEWEST}", f"WITH found AS MATERIALIZED ({CONTENT}) SELECT * FROM found {NEWEST}")
BATCH = 1000


def measure(work: Work) -> list[Line]:
    """Measure filling and searching many messages of about 500 characters; on PostgreSQL, where there is a limit."""
    if connection.vendor != "postgresql":
        return []
    project = Project.objects.get(slug="default").pk
    messages, rounds = work.scaled(MESSAGES, 2_000), work.scaled(9, 2)
    _store(project, messages)
    lines = _costs(messages, _timed(_fill))
    lines += [_search_line(project, name, rounds) for name in QUERIES]
    # The raw index would slow down the recording, here and in the sections that follow.
    _drop_raw()
    return [*lines, _recording_line(project, work.scaled(20, 2))]


def _store(project: int, messages: int) -> None:
    """Write the messages into one session, by the fastest way there is."""
    session = f"search-{uuid.uuid4()}"
    first = {"record_type": "message", "session_id": session, "role": "user", "content": "first"}
    record_many(project_id=project, records=[first], now=datetime(2026, 9, 1, tzinfo=UTC))
    pk = Message.objects.filter(session__session_id=session).values_list("session", flat=True)[0]

    def rows() -> Iterator[tuple[Any, ...]]:
        for number, text in enumerate(texts(messages), 2):
            at = START + timedelta(seconds=number)
            yield (project, pk, f"m-{number}", at, number, ROLES[number % len(ROLES)], text, None)

    load("history_app_message", MESSAGE_COLUMNS, rows())


def _fill() -> None:
    """Fill until nothing is left to do."""
    while True:
        done = search_index_fill(now=timezone.now(), seconds=60)
        if not (done.added or done.rebuilt):
            return


def _costs(messages: int, seconds: float) -> list[Line]:
    building = _timed(_build_raw)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size(%s), pg_total_relation_size('history_app_searchpage')", [RAW_INDEX])
        raw, ours = cursor.fetchone()
    rate, size = (messages / seconds, messages / building), (ours / messages, raw / messages)
    note = "limit: one bulk build of the trigram index, which cannot be filled behind"
    return [
        Line("filling the search index", *rate, "messages/s", "", note),
        Line("the search index, stored", *size, "bytes a message", "", "limit: the trigram index"),
    ]


def _build_raw() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute(f"CREATE INDEX {RAW_INDEX} ON history_app_message USING gin (content gin_trgm_ops)")
        cursor.execute("ANALYZE history_app_message")


def _drop_raw() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {RAW_INDEX}")


def _search_line(project: int, name: str, rounds: int) -> Line:
    query, goal = QUERIES[name]
    ours: list[float] = []
    raw: list[list[float]] = [[] for _ in RAW]
    for _round in range(rounds):
        ours.append(_timed(lambda: _ours(project, query)))
        for statement, taken in zip(RAW, raw, strict=True):
            taken.append(_timed(lambda statement=statement: _raw(statement, project, query)))
    limit = min(statistics.median(taken) for taken in raw)
    note = "limit: trigram GIN, the better of its two plans"
    return Line(f"search: {name}", 1000 * statistics.median(ours), 1000 * limit, "ms", goal, note)


def _ours(project: int, query: str) -> None:
    """Find the newest hits, over as many pages as that takes."""
    found, after = 0, None
    while found < HITS:
        scopes = {"message": Message.objects.filter(project_id=project)}
        page = search(query=query, scopes=scopes, size=HITS - found, after=after)
        found += len(page.hits)
        after = page.next
        if after is None:
            return


def _raw(statement: str, project: int, query: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [project, f"%{query}%"])
        cursor.fetchall()


def _recording_line(project: int, batches: int) -> Line:
    """Batches recorded while another process fills the index behind them, beside batches while it rests."""
    source = enumerate(texts(2 * BATCH * batches, seed=2))
    common = {"record_type": "message", "session_id": f"recorded-{uuid.uuid4()}", "role": "user"}
    on, off = [], []
    forking = multiprocessing.get_context("fork")
    meant, over = forking.Event(), forking.Event()
    # The child is forked, and must not share the parent's socket with the database.
    connection.close()
    filler = forking.Process(target=_keep_filling, args=(meant, over))
    filler.start()
    for _round in range(batches):
        for taken, filling in ((on, True), (off, False)):
            meant.set() if filling else meant.clear()
            batch = [{**common, "record_id": str(n), "content": text} for n, text in islice(source, BATCH)]
            taken.append(_timed(lambda batch=batch: record_many(project_id=project, records=batch, now=START)))
    over.set()
    meant.set()
    filler.join()
    rates = (BATCH / statistics.median(on), BATCH / statistics.median(off))
    return Line("recording while the index is filled", *rates, "messages/s", ">= 0.9", "limit: while it rests, in turn")


def _keep_filling(meant: Any, over: Any) -> None:
    """Fill block after block whenever it is meant to; in a process of its own."""
    while not over.is_set():
        meant.wait()
        search_index_fill(now=timezone.now(), blocks=1, least=1)


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
