"""Two agents at one state: in every round exactly one of them wins, and the other is told so."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from config.shared.errors import StaleVersion
from sessions_app.models import SessionState
from sessions_app.models.accounts import Project
from sessions_app.services.states import state_current, state_update
from tests.factories import make_session

AGENTS = ("left", "right")
PATIENCE_SECONDS = 120


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rounds", [100, pytest.param(1000, marks=pytest.mark.torture)])
def test_one_of_two_agents_wins_each_round(store, now, rounds, settings):
    settings.STATE_KEEP_LAST = 0
    Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
    session = make_session(session_id="race")
    start = threading.Barrier(len(AGENTS))

    def run(name):
        results = []
        try:
            for number in range(rounds):
                start.wait(PATIENCE_SECONDS)
                try:
                    changes = {"current_step": name, "data": {name: number}}
                    state = state_update(session=session, changes=changes, now=now, expected_version=number or -2)
                    results.append(("won", state.version))
                except StaleVersion as stale:
                    results.append(("lost", stale.current))
                start.wait(PATIENCE_SECONDS)
            return results
        except BaseException:
            # Nobody waits for an agent that broke down.
            start.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(len(AGENTS)) as pool:
        left, right = pool.map(run, AGENTS)
    for number, (one, other) in enumerate(zip(left, right, strict=True), 1):
        assert sorted([one, other]) == [("lost", number), ("won", number)]
    assert state_current(session=session).version == rounds
    steps = dict(SessionState.objects.filter(session=session).values_list("version", "current_step"))
    winners = ["left" if one[0] == "won" else "right" for one in left]
    assert [steps[number] for number in range(1, rounds + 1)] == winners
