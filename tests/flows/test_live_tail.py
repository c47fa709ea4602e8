"""The live tail of a served AgentLedger: what is recorded comes once, whoever writes, and whenever one comes back."""

import random
import threading
import time

import pytest

from tests.config.served import until
from tests.flows.ledger import Connection, Ledger, Listener
from tests.history_app.records import record

pytestmark = [pytest.mark.serve, pytest.mark.django_db(transaction=True)]

CONNECTIONS = 6
WRITERS, LISTENERS = 8, 3
RECORDS_PER_WRITER = 40


@pytest.fixture(scope="module")
def served(tmp_path_factory, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        ledger = Ledger(
            tmp_path_factory.mktemp("live"),
            EVENT_CONNECTIONS=str(CONNECTIONS),
            EVENT_HEARTBEAT="0.4",
            QUERY_TIMEOUT="30",
        )
    yield ledger
    with django_db_blocker.unblock():
        ledger.close()


@pytest.fixture(scope="module")
def key(served):
    return served.key("writer", "operator")


@pytest.fixture
def listen(served, key):
    """Open tails; those that a test leaves open are closed, and their room is free again before the next test."""
    opened = []

    def start(session_id="s-1", query="", position="", by=key) -> Listener:
        opened.append(Listener(served, f"/api/sessions/{session_id}/events/{query}", by, position))
        return opened[-1]

    yield start
    for listener in opened:
        listener.connection.close()
    until(lambda: _room(served, key) == CONNECTIONS)


def _room(served, key) -> int:
    """Return how many tails can be opened now."""
    served.record(key, record("message", "room", session_id="room"))
    found = []
    try:
        while len(found) < CONNECTIONS:
            found.append(Connection(served, "/api/sessions/room/events/", key))
            if found[-1].status != 200:
                return len(found) - 1
        return len(found)
    finally:
        for connection in found:
            connection.close()


def test_records_come_as_they_are_recorded_halves_and_costs_too(served, key, listen):
    served.record(key, record("message", "m-0", session_id="live"))
    listener = listen("live")
    until(listener.position)
    steps = ["message", "llm_request", "llm_response", "token_usage", "cost", "tool_call", "error", "metric"]
    for number, kind in enumerate(steps, 1):
        served.record(key, record(kind, f"{kind}-1", session_id="live"))
        until(lambda number=number: len(listener.heard()) == number)
    assert listener.heard() == [(kind, f"{kind}-1") for kind in steps]


def test_a_heartbeat_comes_while_nothing_else_does(served, key, listen):
    served.record(key, record("message", "m-0", session_id="quiet"))
    listener = listen("quiet")
    until(lambda: [event.name for event in listener.events].count("heartbeat") >= 3)
    assert listener.heard() == []


def test_who_comes_back_gets_what_was_missed(served, key, listen):
    served.record(key, record("message", "m-0", session_id="back"))
    first = listen("back")
    until(first.position)
    first.connection.close()
    served.record(key, record("message", "m-1", session_id="back"), record("cost", "c-1", session_id="back"))
    second = listen("back", position=first.position())
    until(lambda: len(second.heard()) == 2)
    assert sorted(second.heard()) == [("cost", "c-1"), ("message", "m-1")]


class Wanderer(threading.Thread):
    """Listens to one session, hangs up at random moments, and comes back with the last id that it got."""

    def __init__(self, served, path, key, seed, total):
        super().__init__(daemon=True)
        self._served, self._path, self._key = served, path, key
        self._dice, self._total = random.Random(seed), total
        self.heard, self.visits, self.fault = [], 0, None

    def run(self):
        position = ""
        try:
            while len(self.heard) < self._total:
                connection = Connection(self._served, self._path, self._key, position)
                if connection.status == 503:
                    # Others hold all tails at this moment, or the server has not seen yet that they hung up.
                    connection.close()
                    time.sleep(0.1)
                    continue
                assert connection.status == 200
                self.visits += 1
                stay = self._dice.choice((0, 1, 3, 10, 30))
                for event in connection.events():
                    position = event.id or position
                    if event.data:
                        self.heard.append(event.key)
                    stay -= 1
                    if stay < 0 or len(self.heard) >= self._total:
                        break
                connection.close()
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self.fault = error


def _work_of(writer: int, records: int) -> list[dict]:
    """Return the records of one writer, in the order in which it sends them: calls, uses with costs, and the rest."""
    dice = random.Random(writer)
    made = []
    for number in range(records // 4):
        name = f"{writer}-{number}"
        call = [record(kind, f"{kind}-{name}", request_id=name) for kind in ("llm_request", "llm_response")]
        # All writers' uses and costs agree, so that costs change places all the time.
        use = [record(kind, f"{kind}-{name}") for kind in ("token_usage", "cost")]
        made += dice.choice([[*call, record("message", f"m-{name}"), use[1]], [*use, call[1], call[0]]])
    dice.shuffle(made)
    return [{**found, "session_id": "torture"} for found in made]


def test_nothing_is_lost_or_told_twice_while_many_write_and_listeners_come_and_go(served, key):
    served.record(key, record("metric", "first", session_id="torture"))
    work = [_work_of(writer, RECORDS_PER_WRITER) for writer in range(WRITERS)]
    expected = [("metric", "first"), *[(raw["record_type"], raw["record_id"]) for own in work for raw in own]]
    path = "/api/sessions/torture/events/?from=start"
    listeners = [Wanderer(served, path, key, seed, len(expected)) for seed in range(LISTENERS)]
    faults = []

    def write(own):
        dice = random.Random(len(own))
        try:
            while own:
                batch = [own.pop() for _ in range(min(len(own), dice.randint(1, 4)))]
                served.record(key, *batch)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            faults.append(error)

    threads = [*listeners, *[threading.Thread(target=write, args=(own,)) for own in work]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert faults == []
    for listener in listeners:
        assert listener.fault is None
        assert listener.visits > 3
        assert sorted(listener.heard) == sorted(expected)


def test_while_all_tails_are_taken_the_next_is_refused_and_everything_else_is_answered(served, key, listen):
    served.record(key, record("message", "m-0", session_id="full"))
    listeners = [listen("full") for _ in range(CONNECTIONS)]
    refused = Connection(served, "/api/sessions/full/events/", key)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    refused.close()
    # More at once than there are threads for requests.
    answers = []

    def ask(number):
        served.record(key, record("message", f"m-{number}", session_id="full"))
        answers.append(served.ask("GET", "/api/sessions/full/timeline/", key)[0])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * 16
    until(lambda: all(len(listener.heard()) == 16 for listener in listeners))
    listeners[0].connection.close()
    until(lambda: _room(served, key) == 1)


def test_a_session_that_is_deleted_ends_its_tails(served, key, listen):
    served.record(key, record("message", "m-0", session_id="doomed"))
    listener = listen("doomed", "?from=start")
    until(lambda: listener.heard() == [("message", "m-0")])
    assert served.ask("DELETE", "/api/sessions/doomed/", key)[0] == 204
    until(lambda: listener.is_over)
    assert (listener.events[-1].name, listener.events[-1].data) == ("end", {"reason": "session_deleted"})
    assert Connection(served, "/api/sessions/doomed/events/", key, listener.position()).status == 404


def test_a_key_that_is_revoked_hears_nothing_more(served, key, listen):
    served.record(key, record("message", "m-0", session_id="secret"))
    guest = served.key("guest", "reader")
    listener = listen("secret", by=guest)
    until(listener.position)
    assert served.ask("DELETE", f"/api/api-keys/{guest.split('_')[1]}/", served.owner)[0] == 204
    until(lambda: listener.is_over)
    assert (listener.events[-1].name, listener.events[-1].data) == ("end", {"reason": "access_ended"})
    assert Connection(served, "/api/sessions/secret/events/", guest).status == 401


def test_stopping_the_server_ends_open_tails_in_good_order(served, key, tmp_path):
    served.record(key, record("message", "m-0", session_id="last"))
    listeners = [Listener(served, "/api/sessions/last/events/", key) for _ in range(3)]
    until(lambda: all(listener.position() for listener in listeners))
    assert served.served.stop() == 0
    until(lambda: all(listener.is_over for listener in listeners))
    assert served.served.processes() == {}
    assert served.served.output.endswith("AgentLedger has stopped.")
