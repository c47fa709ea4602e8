"""Two agents, or one agent twice, with a turn at the same moment: one of them is stored, with all its records."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from config.shared.errors import StaleVersion
from config.shared.versions import ABSENT
from history_app.models import Message
from history_app.services.turns import turn_save
from sessions_app.models import SessionState
from sessions_app.models.accounts import Project
from sessions_app.services.states import patching
from tests.factories import make_session

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_SECONDS = 120


def _turn(session, now, name, number, turn_id=""):
    records = [
        {"record_type": "message", "record_id": f"{name}-{number}", "role": "assistant", "content": f"{name} {number}"}
    ]
    change = patching({"current_step": name})
    try:
        turn = turn_save(
            session=session,
            change=change,
            records=records,
            expected_version=number or ABSENT,
            turn_id=turn_id,
            now=now,
        )
    except StaleVersion as stale:
        return "lost", stale.current
    return "replayed" if turn.replayed else "won", turn.state.version


def _raced(works, rounds):
    """Run each work in a thread of its own, round by round, and return the answers by round."""
    start = threading.Barrier(len(works))

    def run(work):
        try:
            found = []
            for number in range(rounds):
                start.wait(PATIENCE_SECONDS)
                found.append(work(number))
                start.wait(PATIENCE_SECONDS)
            return found
        except BaseException:
            start.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(zip(*pool.map(run, works), strict=True))


@pytest.fixture
def session(store):
    Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
    return make_session(session_id="race")


@pytest.mark.parametrize("rounds", [25, pytest.param(1000, marks=pytest.mark.torture)])
def test_only_the_winner_of_a_round_is_recorded(session, now, rounds, settings):
    settings.STATE_KEEP_LAST = 0
    works = [lambda number, name=name: _turn(session, now, name, number) for name in ("left", "right")]
    answers = _raced(works, rounds)
    for number, answer in enumerate(answers, 1):
        assert sorted(answer) == [("lost", number), ("won", number)]
    winners = ["left" if left[0] == "won" else "right" for left, _right in answers]
    said = Message.objects.order_by("sequence").values_list("sequence", "record_id")
    assert list(said) == [(number + 1, f"{name}-{number}") for number, name in enumerate(winners)]
    steps = SessionState.objects.order_by("version").values_list("current_step", flat=True)
    assert list(steps) == winners


def test_one_turn_sent_twice_at_once_is_stored_once(session, now):
    work = lambda number: _turn(session, now, "same", number, turn_id=f"turn-{number}")  # noqa: E731
    for number, answer in enumerate(_raced([work, work], 15), 1):
        assert sorted(answer) == [("replayed", number), ("won", number)]
    assert (Message.objects.count(), SessionState.objects.count()) == (15, 15)
