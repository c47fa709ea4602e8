"""What is done beside recording: prices of uses and events of new sessions, by the rate of recording that is left."""

import itertools
import statistics
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

from django.conf import settings

from history_app.services.ingest import sessions
from history_app.services.recording import record_many
from sessions_app.models import Project
from tests.bench.report import Line
from tests.bench.sections import Work
from tests.bench.writes import NOW, Record, timed

SIZE, SESSIONS = 1000, 10
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-3-5-sonnet-latest", "gemini-1.5-pro")
TEXT = "The parcel has left the depot and will be with the customer on Tuesday before noon. " * 6


def measure(work: Work) -> list[Line]:
    """Measure batches in new sessions with prices and events, and without: of turns, and of uses of tokens alone."""
    project = Project.objects.get(slug="default").pk
    rounds = work.scaled(60, 5)
    return [
        _line(project, rounds, _turns(), "recording turns with prices and events", "a quarter uses of tokens"),
        _line(project, rounds, _uses(), "recording uses with prices and events", "uses of tokens only"),
    ]


def _line(project: int, rounds: int, source: Iterator[Record], work: str, what: str) -> Line:
    for _ in range(2):
        _took(project, source)
    ours, limit = [], []
    for _ in range(rounds):
        ours.append(_took(project, source))
        with _without_extras():
            limit.append(_took(project, source))
    rates = (SIZE / statistics.median(ours), SIZE / statistics.median(limit))
    note = f"batches of {SIZE:,}, ten new sessions in each, {what}; limit: without prices and events"
    return Line(work, *rates, "records/s", ">= 0.85", note)


@contextmanager
def _without_extras() -> Iterator[None]:
    prices = mock.patch.object(settings, "AGENTLEDGER_PRICE_FUNCTION", None)
    with prices, mock.patch.object(sessions, "events_record"):
        yield


def _took(project: int, source: Iterator[Record]) -> float:
    batch = list(itertools.islice(source, SIZE))
    return timed(lambda: record_many(project_id=project, records=batch, now=NOW))


def _turns() -> Iterator[Record]:
    """Yield turns of four records each: question, answer, tool call, and use of tokens; 25 turns a session."""
    for use in _uses(SIZE // SESSIONS // 4):
        common = {name: use[name] for name in ("session_id", "timestamp")}
        turn = use["record_id"]
        yield {**common, "record_type": "message", "record_id": f"q-{turn}", "role": "user", "content": TEXT}
        yield {**common, "record_type": "message", "record_id": f"a-{turn}", "role": "assistant", "content": TEXT}
        yield {**common, "record_type": "tool_call", "record_id": turn, "tool_name": "track", "tool_input": {"n": turn}}
        yield use


def _uses(each: int = SIZE // SESSIONS) -> Iterator[Record]:
    for number in itertools.count():
        session, model = f"extra-{uuid.uuid4()}", MODELS[number % len(MODELS)]
        for turn in range(each):
            at = (NOW + timedelta(minutes=number, seconds=turn / each)).isoformat()
            tokens = {"model": model, "prompt_tokens": 900 + turn, "completion_tokens": 80}
            common = {"record_type": "token_usage", "session_id": session, "record_id": f"u-{turn}", "timestamp": at}
            yield {**common, **tokens}
