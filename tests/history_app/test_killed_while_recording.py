"""Whoever records is killed at any step: then rows and counter are where they were, and the next message goes on.

A process of its own is killed before its first statement, before its second one, and so on up to its commit. (One or a
few messages are a single statement on PostgreSQL, which has no middle: there is nothing to kill then.)
"""

import contextlib
import os
import signal

import pytest
from django.db import connection
from django.db.models import Count, Max

from config.shared.callers import SYSTEM
from config.shared.versions import ABSENT
from history_app.models import Message
from history_app.services.fork import session_fork
from history_app.services.recording import record, record_many
from history_app.services.turns import turn_save
from sessions_app.models import SessionActivity, SessionState
from sessions_app.services.states import patching
from tests.factories import make_session
from tests.history_app.records import record as raw

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor == "sqlite", reason="the tests' SQLite is in memory, which no other process sees"
    ),
]
MOST_STEPS = 60


def _one(session, now, mark):
    record(project_id=session.project_id, fields=raw("message", mark), now=now)


def _few(session, now, mark):
    record_many(project_id=session.project_id, records=[raw("message", f"{mark}-{n}") for n in range(3)], now=now)


def _batch(session, now, mark):
    kinds = ("message", "tool_call", "llm_request", "token_usage", "cost", "message", "error", "metric")
    records = [raw(kind, f"{mark}-{n}") for n, kind in enumerate(kinds)]
    record_many(project_id=session.project_id, records=[*records, raw("message", mark, session_id=mark)], now=now)


def _repeated(session, now, mark):
    """A batch with a message that is stored: the unique index objects, and the rest is written in a second try."""
    known = raw("message", "first")
    record_many(project_id=session.project_id, records=[raw("message", mark), known, raw("metric", mark)], now=now)


def _turn(session, now, mark):
    stored = SessionState.objects.filter(session=session).aggregate(Max("version"))["version__max"]
    turn_save(
        session=session,
        change=patching({"current_step": mark}),
        records=[raw("message", mark), raw("token_usage", mark)],
        expected_version=stored or ABSENT,
        now=now,
    )


def _fork(session, now, mark):
    session_fork(session=session, caller=SYSTEM, now=now, session_id=mark)


def _dies_at(step, work):
    """Run the work in a process of its own that is killed at its step-th statement or commit; return whether it was."""
    connection.close()
    child = os.fork()
    if child == 0:
        left = [step]

        def next_step() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def before(execute, *arguments):
            next_step()
            return execute(*arguments)

        commit = connection._commit

        def killed_commit():
            next_step()
            return commit()

        connection._commit = killed_commit
        with contextlib.suppress(BaseException), connection.execute_wrapper(before):
            work()
            os._exit(0)
        os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL), "the work itself failed"
    return status != 0


def _check(session):
    for each in Message.objects.values("session").annotate(count=Count("pk"), last=Max("sequence")):
        activity = SessionActivity.objects.get(session=each["session"])
        assert (activity.last_sequence, activity.message_count) == (each["last"], each["count"])
        assert each["last"] == each["count"], "there is no gap"


@pytest.mark.parametrize("work", [_one, _few, _batch, _repeated, _turn, _fork])
def test_the_next_message_goes_on_wherever_its_writer_was_killed(project, now, work):
    session = make_session(session_id="s-1")
    record(project_id=project.pk, fields=raw("message", "first"), now=now)
    steps = 0
    while _dies_at(steps, lambda: work(session, now, f"mark-{steps}")):  # noqa: B023 - run at once
        record(project_id=project.pk, fields=raw("message", f"after-{steps}"), now=now)
        _check(session)
        steps += 1
        assert steps < MOST_STEPS
    record(project_id=project.pk, fields=raw("message", "last"), now=now)
    _check(session)


def test_a_session_whose_counters_are_gone_is_numbered_on(project, now):
    session = make_session(session_id="s-1")
    record_many(project_id=project.pk, records=[raw("message", f"m-{n}") for n in range(3)], now=now)
    SessionActivity.objects.filter(session=session).delete()
    record_many(project_id=project.pk, records=[raw("message", "m-3"), raw("metric", "x-1")], now=now)
    assert list(Message.objects.order_by("pk").values_list("sequence", flat=True)) == [1, 2, 3, 4]
    _check(session)
