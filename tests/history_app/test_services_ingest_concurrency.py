"""Many writers at once: nothing lost, nothing doubled, no number twice, and nobody waits in a circle."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain

import pytest
from django.db import connection, transaction

from config.shared.retries import TryAgain, curable, retried
from history_app.models import LLMCall, Message, TokenUsage
from sessions_app.models import Project, Session, SessionActivity
from sessions_app.models.accounts import DEFAULT_PROJECT
from tests.history_app.records import outcomes, record

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 14, tzinfo=UTC)
WRITERS = 8


@pytest.fixture
def team(store):
    return Project.objects.get_or_create(slug=DEFAULT_PROJECT, defaults={"name": "Default"})[0]


def _together(work, inputs):
    """Run `work` for each input in a thread of its own, each with its own connection, and return the answers."""

    def run(value):
        try:
            return work(value)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(run, inputs))


def test_writers_of_one_session_give_every_number_once(team):
    def append(writer):
        found = []
        for batch in range(5):
            raws = [record("message", f"{writer}-{batch}-{n}") for n in range(4)]
            found += outcomes(team, raws, NOW)
        return found

    answers = _together(append, list(range(WRITERS)))
    assert Counter(chain.from_iterable(answers)) == {"new": WRITERS * 20}
    numbers = Message.objects.order_by("sequence").values_list("sequence", flat=True)
    assert list(numbers) == list(range(1, WRITERS * 20 + 1))
    assert SessionActivity.objects.get().message_count == WRITERS * 20
    own = Message.objects.filter(record_id__startswith="3-").order_by("sequence").values_list("record_id", flat=True)
    assert list(own) == [f"3-{batch}-{n}" for batch in range(5) for n in range(4)]


def test_writers_of_the_same_records_store_them_once(team):
    raws = [record("message", f"m-{n}", session_id=f"s-{n % 4}") for n in range(20)]
    raws += [record(kind, kind) for kind in ("token_usage", "cost", "llm_request", "llm_response")]

    def deliver(seed):
        mixed = list(raws)
        random.Random(seed).shuffle(mixed)
        return [kind for start in range(0, len(mixed), 6) for kind in outcomes(team, mixed[start : start + 6], NOW)]

    answers = Counter(chain.from_iterable(_together(deliver, list(range(WRITERS)))))
    assert answers == {"new": len(raws), "same": len(raws) * (WRITERS - 1)}
    assert (Message.objects.count(), Session.objects.count()) == (20, 4)
    assert (LLMCall.objects.count(), TokenUsage.objects.count()) == (1, 1)
    assert TokenUsage.objects.get().cost_record_id == "cost"


def test_a_session_that_is_deleted_meanwhile_does_not_lose_the_batch(team):
    def write_or_delete(writer):
        for batch in range(6):
            if writer == 0:
                with transaction.atomic():
                    for session in Session.objects.filter(session_id="s-1"):
                        list(SessionActivity.objects.select_for_update().filter(session=session))
                        session.delete()
            else:
                assert outcomes(team, [record("message", f"{writer}-{batch}")], NOW) == ["new"]

    _together(write_or_delete, list(range(4)))
    assert outcomes(team, [record("message", "last")], NOW) == ["new"]
    count = Message.objects.count()
    assert SessionActivity.objects.get().message_count == count


def test_a_transaction_that_moved_is_tried_again_and_others_are_not():
    tries = []

    def fails_twice():
        tries.append(1)
        if len(tries) < 3:
            raise TryAgain
        return "done"

    assert retried(fails_twice) == "done"
    assert not curable(ValueError("another fault"))
