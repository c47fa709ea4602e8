"""No job is lost with RabbitMQ: the node is killed or blocks, the wire is cut, those who ask die (A6, A7)."""

import time

import pytest

from tests.config.served import until
from tests.jobs_at_work.house import LONG, LONG_SECONDS, Wire
from tests.jobs_at_work.rabbit import Rabbit, is_installed

pytestmark = [
    pytest.mark.serve,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not is_installed(), reason="no RabbitMQ on this machine"),
]


@pytest.fixture
def rabbit(tmp_path):
    started = Rabbit(tmp_path / "rabbit").start()
    yield started
    started.kill()


@pytest.mark.parametrize("jobs", [60, pytest.param(LONG, marks=pytest.mark.torture)])
def test_rabbitmq_is_killed_and_out_of_memory_and_no_job_is_lost(house, rabbit, jobs):
    """Who asks is never held up (asking ends with an error where it took 5 s); the control publishes without a row."""
    here = house(rabbit.url)
    asking = here.asks("torture.effect", jobs // 3)
    until(lambda: here.count() >= jobs // 6, LONG_SECONDS)
    rabbit.kill()
    assert asking.wait() == 0, "asking works while the broker is away"
    rabbit.start(alarm=True)
    assert rabbit.blocks()
    assert here.asks("torture.effect", jobs // 3).wait() == 0, "asking works while the broker takes nothing"
    assert here.asks("torture.plain", 30, "unconfirmed").wait() == 0
    assert here.count("state = 'queued'") == 2 * (jobs // 3), "what nobody was told of can be seen"
    rabbit.kill()
    rabbit.start()
    here.worker()
    assert here.asks("torture.effect", jobs // 3).wait() == 0
    until(here.all_over, LONG_SECONDS)
    assert here.effects() == sorted([*range(jobs // 3)] * 3)
    assert len(here.effects("torture.plain")) < 30, "the control lost some"


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.torture)])
def test_a_wire_to_rabbitmq_that_is_cut_is_found_again(house, rabbit, rounds):
    """A worker whose wire is cut while it connects may end: it is started again, as `manage.py serve` does."""
    wire = Wire(rabbit.port)
    try:
        here = house(rabbit.url.replace(str(rabbit.port), str(wire.port)), JOB_SWEEP_INTERVAL="3600")
        workers = [here.worker()]
        assert here.asks("torture.effect", 1).wait() == 0
        until(here.all_over)
        for number in range(1, rounds + 1):
            assert sum(_cut(wire) for _time in range(3))
            assert here.asks("torture.effect", 5).wait() == 0
            until(lambda: _over(here, workers))
            assert here.count("state = 'succeeded'") == 1 + 5 * number
        assert here.effects() == sorted([0, *[*range(5)] * rounds])
    finally:
        wire.close()


def _over(here, workers) -> bool:
    if workers[-1].poll() is not None:
        workers.append(here.worker())
    return here.all_over()


def _cut(wire: Wire) -> int:
    cuts = wire.cut()
    time.sleep(1)
    return cuts


@pytest.mark.parametrize("asked", [5, pytest.param(50, marks=pytest.mark.torture)])
def test_who_asks_may_die_before_or_after_the_message_leaves(house, rabbit, asked):
    """A job is there from the commit on, and a message more or less changes nothing."""
    here = house(rabbit.url)
    here.worker()
    assert here.asks("torture.effect", asked, "dies-before").wait() == 0
    assert here.asks("torture.effect", asked, "dies-after").wait() == 0
    until(here.all_over)
    assert here.effects() == sorted([*range(asked)] * 2)


def test_control_without_a_sweep_the_jobs_of_the_dead_are_not_done(house, rabbit):
    here = house(rabbit.url, JOB_SWEEP_INTERVAL="3600")
    here.worker()
    assert here.asks("torture.effect", 5, "dies-before").wait() == 0
    assert here.asks("torture.effect", 5).wait() == 0
    until(lambda: here.count("state = 'succeeded'") == 5)
    time.sleep(3)
    assert here.count("state = 'queued'") == 5
