"""Jobs: a row in the caller's transaction, claimed under a token, retried, parked, stopped, swept, forgotten."""

from datetime import timedelta

import pytest
from django.db import transaction

from config.shared.callers import SYSTEM
from config.shared.errors import Conflict, NotFound
from config.shared.jobs import JobFailed, LeaseLost, job
from sessions_app.models import AuditEntry, Event, Job
from sessions_app.services.events import event_record
from sessions_app.services.jobs import (
    job_cancel,
    job_enqueue,
    job_enqueue_once,
    job_retry,
    job_run,
    jobs_due,
    jobs_prune,
    jobs_sweep,
)
from sessions_app.services.jobs.claims import job_claim, job_finish
from tests.factories import NOW

pytestmark = pytest.mark.django_db

LATER = NOW + timedelta(hours=2)
woken: list[int] = []


def wake(job_id: int) -> None:
    """Stand where config.waking stands, and remember who was woken for."""
    woken.append(job_id)


@job("test.note", atomic=True)
def note(run, subject="", raises=None):
    event_record(project_id=None, kind="test.noted", subject=subject, now=run.now)
    if raises:
        raise {"bug": ZeroDivisionError("no"), "refused": Conflict("no"), "hopeless": JobFailed("no")}[raises]
    return {"subject": subject}


@job("test.words")
def words(run, texts):
    for text in texts:
        run.progress(done=0, total=1, text=text)
        during(run, text)


@job("test.steps")
def steps(run, count):
    for done in range(count):
        run._looked = 0.0
        run.progress(done=done, total=count, text=f"step {done}")
        during(run, done)
    return count


def during(run, done):
    """Is replaced by tests that do something between two steps."""


@transaction.atomic
def store_under_guard(run):
    event_record(project_id=None, kind="test.noted", subject="stale", now=NOW)
    run.guard()


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen while `test.steps` is at work."""
    return lambda act: monkeypatch.setattr("tests.sessions_app.test_services_jobs.during", act)


def at(moment=NOW):
    return lambda: moment


def noted() -> list[str]:
    return list(Event.objects.filter(kind="test.noted").order_by("pk").values_list("subject", flat=True))


def test_a_job_is_done_and_its_result_is_kept():
    asked = job_enqueue(kind="test.note", arguments={"subject": "a"}, now=NOW)
    assert job_run(job_id=asked.pk, clock=at()) == "succeeded"
    asked.refresh_from_db()
    assert (asked.state, asked.result, asked.attempts, asked.due_at) == ("succeeded", {"subject": "a"}, 1, None)
    assert noted() == ["a"]


def test_a_job_exists_exactly_when_its_transaction_commits(settings, django_capture_on_commit_callbacks):
    settings.AGENTLEDGER_WAKE_FUNCTION = "tests.sessions_app.test_services_jobs.wake"
    woken.clear()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        job_enqueue(kind="test.note", now=NOW)
        transaction.set_rollback(True)
    assert not Job.objects.exists()
    assert not woken
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        asked = job_enqueue(kind="test.note", now=NOW)
        assert not woken
    assert woken == [asked.pk]


def test_a_job_for_later_wakes_nobody_now(settings, django_capture_on_commit_callbacks):
    settings.AGENTLEDGER_WAKE_FUNCTION = "tests.sessions_app.test_services_jobs.wake"
    woken.clear()
    with django_capture_on_commit_callbacks(execute=True):
        asked = job_enqueue(kind="test.note", now=NOW, run_after=LATER)
    assert not woken
    assert job_run(job_id=asked.pk, clock=at()) is None
    assert job_run(job_id=asked.pk, clock=at(LATER)) == "succeeded"


def test_a_kind_that_nobody_knows_is_refused():
    with pytest.raises(NotFound):
        job_enqueue(kind="test.unheard_of", now=NOW)


def test_a_slot_is_given_out_once():
    first, is_new = job_enqueue_once(kind="test.note", slot="nightly@1", now=NOW)
    second, is_new_again = job_enqueue_once(kind="test.note", slot="nightly@1", now=LATER)
    assert (first.pk, is_new, is_new_again) == (second.pk, True, False)
    with pytest.raises(Conflict):
        job_enqueue(kind="test.note", slot="nightly@1", now=NOW)
    job_enqueue(kind="test.steps", slot="nightly@1", arguments={"count": 0}, now=NOW)


def test_a_second_worker_finds_nothing_to_do():
    asked = job_enqueue(kind="test.note", now=NOW)
    assert job_claim(job_id=asked.pk, now=NOW) is not None
    assert job_claim(job_id=asked.pk, now=NOW) is None


def test_what_a_dead_worker_left_is_taken_and_its_late_result_is_dropped():
    asked = job_enqueue(kind="test.note", arguments={"subject": "b"}, now=NOW)
    dead = job_claim(job_id=asked.pk, now=NOW)
    assert job_run(job_id=asked.pk, clock=at(LATER)) == "succeeded"
    assert not job_finish(job_id=asked.pk, fence=dead.fence, result="stale", now=LATER)
    asked.refresh_from_db()
    assert (asked.result, asked.attempts, asked.fence) == ({"subject": "b"}, 2, 2)


def test_a_stale_run_stores_nothing(meanwhile):
    """The lease ends while the handler works: another worker takes the job, and the first one is told to stop."""
    asked = job_enqueue(kind="test.steps", arguments={"count": 3}, now=NOW)

    def somebody_else(run, done):
        if done == 1:
            assert job_claim(job_id=asked.pk, now=LATER) is not None
            with pytest.raises(LeaseLost):
                store_under_guard(run)

    meanwhile(somebody_else)
    assert job_run(job_id=asked.pk, clock=at()) is None
    asked.refresh_from_db()
    assert (asked.state, asked.fence, asked.result) == ("running", 2, None)
    assert noted() == []


def test_what_fails_is_tried_again_after_a_growing_pause_and_then_parked():
    asked = job_enqueue(kind="test.note", arguments={"raises": "bug"}, now=NOW)
    moment, pauses = NOW, []
    for _attempt in range(4):
        assert job_run(job_id=asked.pk, clock=at(moment)) == "queued"
        asked.refresh_from_db()
        pauses.append((asked.due_at - moment).total_seconds())
        moment = asked.due_at
    assert pauses == [pytest.approx(10 * 2**number, rel=0.21) for number in range(4)]
    assert job_run(job_id=asked.pk, clock=at(moment)) == "parked"
    asked.refresh_from_db()
    assert (asked.attempts, asked.error) == (5, "ZeroDivisionError: no")
    assert noted() == []
    told = Event.objects.get(kind="job.parked")
    assert (told.subject, told.payload["kind"]) == (str(asked.pk), "test.note")


def test_what_kills_its_worker_every_time_is_parked():
    asked = job_enqueue(kind="test.note", now=NOW)
    moment = NOW
    for _attempt in range(5):
        assert job_claim(job_id=asked.pk, now=moment) is not None
        moment += timedelta(hours=1)
    assert job_claim(job_id=asked.pk, now=moment) is None
    asked.refresh_from_db()
    assert (asked.state, asked.error) == ("parked", "The worker that ran it disappeared.")
    assert Event.objects.filter(kind="job.parked").count() == 1


@pytest.mark.parametrize("reason", ["hopeless", "refused"])
def test_what_cannot_succeed_fails_at_once(reason):
    asked = job_enqueue(kind="test.note", arguments={"raises": reason}, now=NOW)
    assert job_run(job_id=asked.pk, clock=at()) == "failed"
    asked.refresh_from_db()
    assert (asked.attempts, asked.finished_at) == (1, NOW)


def test_a_queued_job_is_stopped_at_once(project):
    asked = job_enqueue(kind="test.note", now=NOW, project_id=project.pk)
    job_cancel(job=asked, caller=SYSTEM, now=NOW)
    assert (asked.state, job_run(job_id=asked.pk, clock=at())) == ("cancelled", None)
    assert AuditEntry.objects.filter(action="job.cancel", target_id=str(asked.pk)).count() == 1
    with pytest.raises(Conflict):
        job_cancel(job=asked, caller=SYSTEM, now=NOW)


def test_a_step_with_another_name_is_told_at_once(meanwhile, project):
    asked = job_enqueue(kind="test.words", arguments={"texts": ["reading", "reading", "swapping in"]}, now=NOW)
    told = []
    meanwhile(lambda run, _text: told.append(Job.objects.get(pk=run.job_id).progress_text))
    assert job_run(job_id=asked.pk, clock=at()) == "succeeded"
    assert told == ["reading", "reading", "swapping in"]


def test_a_running_job_stops_at_its_next_look(meanwhile, project):
    asked = job_enqueue(kind="test.steps", arguments={"count": 9}, now=NOW)
    meanwhile(lambda run, done: done == 2 and job_cancel(job=asked, caller=SYSTEM, now=NOW))
    assert job_run(job_id=asked.pk, clock=at()) == "cancelled"
    asked.refresh_from_db()
    assert (asked.progress_done, asked.progress_total, asked.progress_text) == (3, 9, "step 3")
    assert not asked.cancel_requested


def test_what_was_asked_to_stop_is_not_begun_again_after_its_worker_died(project):
    asked = job_enqueue(kind="test.note", now=NOW)
    job_claim(job_id=asked.pk, now=NOW)
    job_cancel(job=asked, caller=SYSTEM, now=NOW)
    assert job_run(job_id=asked.pk, clock=at(LATER)) is None
    asked.refresh_from_db()
    assert (asked.state, noted()) == ("cancelled", [])


def test_a_parked_job_gets_all_its_attempts_again(project):
    asked = job_enqueue(kind="test.note", arguments={"raises": "hopeless"}, now=NOW)
    job_run(job_id=asked.pk, clock=at())
    job_retry(job=asked, caller=SYSTEM, now=LATER)
    assert (asked.state, asked.attempts, asked.due_at) == ("queued", 0, LATER)
    with pytest.raises(Conflict):
        job_retry(job=asked, caller=SYSTEM, now=LATER)


def test_a_slot_that_nobody_ran_in_time_is_dropped():
    asked = job_enqueue(kind="test.note", slot="x@1", now=NOW, expires_at=NOW + timedelta(minutes=4))
    assert job_run(job_id=asked.pk, clock=at(LATER)) is None
    asked.refresh_from_db()
    assert (asked.state, asked.error) == ("cancelled", "It was not started in time; the next one does its work.")


def test_the_sweep_runs_what_no_message_told_of():
    for number in range(120):
        job_enqueue(kind="test.note", arguments={"subject": str(number)}, now=NOW)
    assert jobs_sweep(clock=at(NOW)) == 0, "a wake-up gets its time first"
    assert jobs_sweep(clock=at(LATER)) == 120
    assert sorted(noted(), key=int) == [str(number) for number in range(120)]


def test_the_sweep_asks_one_question(django_assert_num_queries):
    job_enqueue(kind="test.note", now=NOW)
    with django_assert_num_queries(1):
        assert len(jobs_due(now=LATER)) == 1


def test_a_job_of_a_newer_version_waits_for_its_worker():
    asked = job_enqueue(kind="test.note", now=NOW)
    Job.objects.filter(pk=asked.pk).update(kind="test.of_tomorrow")
    assert job_run(job_id=asked.pk, clock=at()) == "queued"


def test_old_jobs_are_forgotten_and_failed_ones_later(settings):
    settings.JOB_DAYS = 10
    done = [job_enqueue(kind="test.note", now=NOW) for _number in range(5)]
    bad = job_enqueue(kind="test.note", arguments={"raises": "hopeless"}, now=NOW)
    waiting = job_enqueue(kind="test.note", now=NOW, run_after=NOW + timedelta(days=99))
    for each in [*done, bad]:
        job_run(job_id=each.pk, clock=at())
    assert jobs_prune(now=NOW + timedelta(days=9), batch=2) == 0
    assert jobs_prune(now=NOW + timedelta(days=11), batch=2) == 5
    assert set(Job.objects.all()) == {bad, waiting}
    assert jobs_prune(now=NOW + timedelta(days=21), batch=2) == 1


def test_canaries_are_forgotten_after_hours():
    asked = job_enqueue(kind="system.canary", now=NOW)
    job_run(job_id=asked.pk, clock=at())
    assert jobs_prune(now=NOW + timedelta(hours=1)) == 0
    assert jobs_prune(now=NOW + timedelta(hours=3)) == 1
