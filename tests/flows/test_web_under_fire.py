"""A real web server whose workers are killed, or that many ask for the same at once: all once, in order, nothing lost.

Design: reliability, A1, B1 and B2, each with its control, which does the same without our means and must go wrong. The
long forms (`make torture`) are of the design's size; DATABASE_URL chooses the server that a database is made on.
"""

import threading
import time
import uuid
from collections import Counter

import pytest

from tests.flows.web_under_fire import everything, killer, together, web

# Far more than it takes: on a busy machine the server alone may need a minute to come up.
pytestmark = pytest.mark.timeout(900)

CLIENTS = 16
SEED = 20261126
KILL_SHORT, KILL_LONG = 1008, 10_000


@pytest.fixture(scope="module")
def served(tmp_path_factory, migrated, given_server):
    """The server that all tests here write to, each to sessions of its own."""
    with web(tmp_path_factory.mktemp("store"), migrated, given_server) as running:
        yield running


@pytest.fixture
def prefix(served):
    """The beginning of this test's session ids; the sessions are there."""
    name = uuid.uuid4().hex[:8]
    for number in range(CLIENTS):
        status, told = served.caller().insist("PUT", f"/api/sessions/{name}-{number}/", {})
        assert status in (200, 201), told
    return name


def _write(served, prefix, writes, way, told, *, stop=lambda: False):
    """Let 16 clients write, each to its own session, note in `told` what they hear, and return the number of tries."""

    headers_of, body_of = way

    def run(number):
        caller = served.caller()
        for count in range(writes // CLIENTS):
            if stop():
                break
            content = f"{number}-{count}"
            body = {"role": "user", "content": content, **body_of(content)}
            address = f"/api/sessions/{prefix}-{number}/messages/"
            told.append((content, *caller.insist("POST", address, body, **headers_of())))
        caller.close()
        return caller.tries

    return int(sum(together(run, range(CLIENTS))))


def _stored(served, prefix):
    """Return the messages of each session."""
    caller = served.caller()
    return [everything(caller, f"/api/sessions/{prefix}-{number}/messages/") for number in range(CLIENTS)]


def _contents(lists):
    return Counter(row["content"] for rows in lists for row in rows)


def _keyed():
    return {"Idempotency-Key": str(uuid.uuid4())}


WAYS = {
    "Idempotency-Key": (_keyed, lambda _content: {}),
    "record_id": (dict, lambda content: {"record_id": content}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("writes", [KILL_SHORT, pytest.param(KILL_LONG, marks=pytest.mark.torture)])
def test_what_was_acknowledged_under_kills_is_stored_once(served, prefix, record_property, way, writes):
    told: list[tuple[str, int, dict]] = []
    with killer(served, progress=lambda: len(told), every=60, seed=SEED) as killed:
        tries = _write(served, prefix, writes, WAYS[way], told)
    lists = _stored(served, prefix)
    contents = _contents(lists)
    facts = {"acknowledged": len(told), "killed": len(killed), "tries": tries, "seed": SEED}
    for name, value in facts.items():
        record_property(name, value)
    print(f"A1 {way}: {facts}")
    assert killed
    assert {status for _content, status, _document in told} <= {200, 201}
    lost = {content for content, _status, _document in told} - contents.keys()
    doubled = {content: count for content, count in contents.items() if count > 1}
    assert (lost, doubled) == (set(), {})
    assert sum(contents.values()) == len(told) == writes
    # Each answer told the truth about the place, and the numbers have no gap.
    assert all([row["sequence"] for row in rows] == list(range(1, len(rows) + 1)) for rows in lists)
    places = {(document["session_id"], document["sequence"], content) for content, _status, document in told}
    assert places == {(row["session_id"], row["sequence"], row["content"]) for rows in lists for row in rows}


def test_control_without_keys_and_ids_a_retry_doubles(served, prefix):
    until, doubled = time.monotonic() + 300, threading.Event()

    def watch():
        while not doubled.wait(1) and time.monotonic() < until:
            if max(_contents(_stored(served, prefix)).values(), default=0) > 1:
                doubled.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    told: list[tuple[str, int, dict]] = []
    with killer(served, progress=lambda: len(told), every=20, seed=SEED):
        naked = (dict, lambda _content: {})
        _write(served, prefix, 10**6, naked, told, stop=lambda: doubled.is_set() or time.monotonic() > until)
    watcher.join()
    assert doubled.is_set()


@pytest.mark.parametrize(("writers", "each"), [(40, 10), pytest.param(200, 50, marks=pytest.mark.torture)])
def test_writers_of_one_session_get_every_number_once_and_in_their_order(served, prefix, writers, each):
    address = f"/api/sessions/{prefix}-0/messages/"

    def run(writer):
        caller = served.caller()
        answers = [
            caller.insist("POST", address, {"record_id": f"{writer}-{count}", "role": "user", "content": "x"})
            for count in range(each)
        ]
        caller.close()
        return answers

    answers = together(run, range(writers))
    assert {status for some in answers for status, _document in some} <= {200, 201}
    told = [[document["sequence"] for _status, document in some] for some in answers]
    assert all(numbers == sorted(numbers) for numbers in told)
    assert sorted(number for numbers in told for number in numbers) == list(range(1, writers * each + 1))
    rows = everything(served.caller(), address)
    assert [row["sequence"] for row in rows] == list(range(1, writers * each + 1))
    for writer in range(writers):
        mine = [row["record_id"] for row in rows if row["record_id"].startswith(f"{writer}-")]
        assert mine == [f"{writer}-{count}" for count in range(each)]


def test_control_writers_that_take_the_greatest_number_and_one_get_some_twice(served, prefix):
    address = f"/api/sessions/{prefix}-0/messages/"

    def run(_writer):
        caller = served.caller()
        for _count in range(5):
            _status, told = caller.insist("GET", f"{address}?last=1", None)
            greatest = int(told["results"][-1]["content"]) if told["results"] else 0
            caller.insist("POST", address, {"role": "user", "content": str(greatest + 1)})

    together(run, range(20))
    assert max(_contents(_stored(served, prefix)).values()) > 1


@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.torture)])
def test_fifty_requests_with_one_key_are_one(served, prefix, rounds):
    address = f"/api/sessions/{prefix}-0/messages/"
    for round_ in range(rounds):
        key, body = _keyed(), {"role": "user", "content": f"round {round_}"}
        ready = threading.Barrier(50)

        def run(_number, key=key, body=body, ready=ready):
            caller = served.caller()
            ready.wait()
            return caller.insist("POST", address, body, **key)

        answers = together(run, range(50))
        assert {status for status, _document in answers} == {201}
        assert len({document["id"] for _status, document in answers}) == 1
        status, problem = served.caller().send("POST", address, {**body, "content": "other"}, **key)
        assert (status, problem["title"]) == (409, "Conflict")
    assert _contents(_stored(served, prefix)) == {f"round {round_}": 1 for round_ in range(rounds)}


def test_control_fifty_requests_that_look_first_are_several(served, prefix):
    address = f"/api/sessions/{prefix}-0/messages/"
    ready = threading.Barrier(50)

    def run(_number):
        caller = served.caller()
        ready.wait()
        _status, told = caller.insist("GET", address, None)
        if not told["results"]:
            caller.insist("POST", address, {"role": "user", "content": "x"})

    together(run, range(50))
    assert _contents(_stored(served, prefix))["x"] > 1
