"""No job is lost: workers, brokers and wires are killed while jobs run (A3, A5, A7, B6 of the acceptance plan).

Each test has its control, the same without what the product does about it, which has to lose.
"""

import random
import shutil
import time

import pytest

from tests.config.served import until
from tests.jobs_at_work.house import LONG, LONG_SECONDS, RABBITMQ, House, Redis, Wire, reachable

pytestmark = [pytest.mark.serve, pytest.mark.timeout(3600)]
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on this machine")


@pytest.fixture
def redis(tmp_path):
    started = Redis(tmp_path).start()
    yield started
    started.kill()


@pytest.mark.parametrize("kind", ["files", "redis", "rabbitmq"])
def test_the_broker_wakes_the_worker(kind, house, request):
    if kind == "rabbitmq" and not reachable(5672):
        pytest.skip("no RabbitMQ on 127.0.0.1:5672")
    if kind == "redis" and shutil.which("redis-server") is None:
        pytest.skip("no redis-server on this machine")
    urls = {"files": lambda: "", "redis": lambda: request.getfixturevalue("redis").url, "rabbitmq": lambda: RABBITMQ}
    here = house(urls[kind](), JOB_SWEEP_INTERVAL="3600")
    here.worker()
    assert here.asks("torture.effect", 10).wait() == 0
    until(here.all_over)
    assert here.effects() == list(range(10))
    assert here.count("woken") == 10, "without a sweep, only messages can have started them"


def run_with_kills(here: House, jobs: int, kills: int, seed: int) -> None:
    """Let two workers do the jobs, and kill one of them again and again while they work."""
    chance = random.Random(seed)
    workers = [here.worker(), here.worker()]
    asking = here.asks("torture.effect", jobs)
    for number in range(1, kills + 1):
        until(lambda share=jobs * number // (kills + 2): here.traces() >= share)
        place = chance.randrange(2)
        here.kill(workers[place])
        workers[place] = here.worker()
    assert asking.wait() == 0
    until(here.all_over)


def test_workers_are_killed_and_every_job_is_done_exactly_once(house):
    here = house()
    run_with_kills(here, jobs=100, kills=3, seed=5)
    assert here.effects() == list(range(100))
    assert here.count("state = 'succeeded'") == 100


def test_control_a_task_without_a_row_is_lost_with_its_worker(house):
    here = house()
    assert here.asks("torture.plain", 30, "plain").wait() == 0
    first = here.worker()
    until(lambda: len(here.effects("torture.plain")) >= 3)
    here.kill(first)
    here.worker()
    assert here.asks("torture.effect", 1).wait() == 0
    until(lambda: here.effects() == [0] and not list((here.data_dir / "broker" / "queue").glob("[0-9]*")))
    time.sleep(3)
    assert len(here.effects("torture.plain")) < 30


@pytest.mark.torture
def test_workers_are_killed_twenty_times_and_their_children_too(house):
    """Workers of processes: one of two is killed with its children, or one child alone, in turn."""
    here, chance = house(), random.Random(7)
    workers = [here.worker("prefork"), here.worker("prefork")]
    asking = here.asks("torture.effect", LONG, "patiently")
    for number in range(1, 41):
        until(lambda share=LONG * number // 42: here.traces() >= share, LONG_SECONDS)
        place = chance.randrange(2)
        if number % 2:
            here.kill(workers[place])
            workers[place] = here.worker("prefork")
        else:
            here.kill_a_child(workers[place], chance)
    assert asking.wait() == 0
    until(here.all_over, LONG_SECONDS)
    assert here.effects() == list(range(LONG))


@pytest.mark.torture
def test_what_kills_every_worker_is_parked_and_the_others_are_done(house):
    here = house()
    assert here.asks("torture.poison", 1).wait() == 0
    assert here.asks("torture.effect", 50).wait() == 0
    worker = here.worker()
    for _attempt in range(40):
        if here.all_over():
            break
        until(lambda now=worker: now.poll() is not None or here.all_over())
        if worker.poll() is not None:
            worker = here.worker()
    until(here.all_over)
    assert here.effects() == list(range(50))
    assert here.ask("SELECT state, attempts FROM sessions_app_job WHERE kind = 'torture.poison'") == [("parked", 5)]
    assert here.count("kind = 'job.parked'", "event") == 1


@needs_redis
def test_redis_loses_everything_and_no_job_is_lost(house, redis):
    """While nobody works, jobs are asked for and Redis is killed; the control goes the same way without rows."""
    here = house(redis.url)
    assert here.asks("torture.effect", 30).wait() == 0
    assert here.asks("torture.plain", 30, "plain").wait() == 0
    redis.kill()
    assert here.asks("torture.effect", 10).wait() == 0, "asking works while the broker is away"
    redis.start()
    here.worker()
    until(here.all_over)
    assert here.effects() == sorted([*range(30), *range(10)])
    assert here.effects("torture.plain") == [], "the control lost all of its 30"


@needs_redis
@pytest.mark.torture
def test_redis_is_killed_and_flushed_again_and_again(house, redis):
    here = house(redis.url)
    here.worker()
    asking = here.asks("torture.effect", LONG, "patiently")
    for number in range(1, 6):
        until(lambda share=LONG * number // 7: here.traces() >= share, LONG_SECONDS)
        redis.kill()
        redis.start()
        redis.flush()
    assert asking.wait() == 0
    until(here.all_over, LONG_SECONDS)
    assert here.effects() == list(range(LONG))


@needs_redis
def test_a_wire_that_is_cut_is_found_again(house, redis):
    wire = Wire(redis.port)
    try:
        here = house(f"redis://127.0.0.1:{wire.port}/0", JOB_SWEEP_INTERVAL="3600")
        here.worker()
        assert here.asks("torture.effect", 1).wait() == 0
        until(here.all_over)
        cuts = 0
        for _time in range(3):
            cuts += wire.cut()
            time.sleep(1)
        assert cuts
        assert here.asks("torture.effect", 5).wait() == 0
        until(here.all_over)
        assert here.effects() == [0, 0, 1, 2, 3, 4]
    finally:
        wire.close()


def test_three_schedulers_that_are_killed_all_the_time_run_each_slot_once(house):
    here = house(CANARY_INTERVAL="1")
    assert here.start("manage.py", "sync_schedule").wait() == 0
    beats = [here.beat() for _number in range(3)]
    chance = random.Random(11)
    for number in range(1, 4):
        until(lambda least=4 * number: here.count("slot LIKE 'canary@%'") >= least)
        place = chance.randrange(3)
        here.kill(beats[place])
        beats[place] = here.beat()
    for each in beats:
        here.kill(each)
    slots = [slot for (slot,) in here.ask("SELECT slot FROM sessions_app_job WHERE slot LIKE 'canary@%'")]
    counted = here.ask("SELECT total_run_count FROM django_celery_beat_periodictask WHERE name = 'canary'")[0][0]
    assert len(set(slots)) == len(slots) == counted


def test_control_two_schedulers_of_celery_itself_run_slots_twice(house):
    here = house(CANARY_INTERVAL="1")
    assert here.start("manage.py", "sync_schedule").wait() == 0
    queue = here.data_dir / "broker" / "queue"
    beats = [here.beat("django_celery_beat.schedulers:DatabaseScheduler") for _number in range(2)]
    until(lambda: len(list(queue.glob("[0-9]*"))) >= 30)
    for each in beats:
        here.kill(each)
    moments = sorted(int(path.name.partition("_")[0]) for path in queue.glob("[0-9]*"))
    both = moments[10:]
    slots = (both[-1] - both[0]) / 1000 + 1
    assert len(both) > 1.4 * slots
