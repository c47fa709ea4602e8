"""The admin of jobs and of the schedule: how runs went, and to stop, retry and start them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.schedule_sync import schedule_synchronise
from sessions_app.models import Job
from tests.admin_rows import form_of, page
from tests.factories import NOW, make_job

pytestmark = pytest.mark.django_db

SCHEDULE = reverse("admin:django_celery_beat_periodictask_changelist")
JOBS = reverse("admin:sessions_app_job_changelist")


def act(client, address: str, action: str, *rows):
    return client.post(address, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


def test_the_schedule_shows_last_and_next_run_with_result_duration_and_failures(staff_admin):
    schedule_synchronise()
    over = {"due_at": None, "started_at": NOW, "finished_at": NOW + timedelta(seconds=1.5)}
    make_job(kind="events.prune", state="parked", slot="events-prune@2026-03-14T10:17:00Z", **over)
    make_job(kind="events.prune", state="succeeded", slot="events-prune@2026-03-14T11:17:00Z", **over)
    text = staff_admin.get(SCHEDULE).text
    assert "events-prune" in text
    assert "succeeded" in text
    assert "1.50" in text
    row = next(part for part in text.split("<tr") if "events-prune" in part)
    assert ">1<" in "".join(row.split())
    assert ":17" in row


def test_a_run_that_somebody_asked_for_stands_beside_the_last_one_of_the_schedule(staff_admin):
    schedule_synchronise()
    PeriodicTask.objects.create(name="ours", task="jobs.prune", interval=IntervalSchedule.objects.first())
    over = {"kind": "jobs.prune", "due_at": None, "started_at": NOW}
    kept = make_job(state="succeeded", slot="jobs-prune@x", finished_at=NOW + timedelta(seconds=2.5), **over)
    asked = make_job(state="failed", asked_by="staff: ada", finished_at=NOW + timedelta(seconds=7.25), **over)
    rows = staff_admin.get(SCHEDULE).text.split("<tr")
    row, theirs = (next(part for part in rows if f"{name}<br>" in part) for name in ("jobs-prune", "ours"))
    assert "2.50" in row
    assert "7.25" not in row
    for shown in (page(kept, "change"), page(asked, "change"), "staff: ada"):
        assert shown in row
    assert page(kept, "change") not in theirs, "another entry's slot is not its run"
    assert ">1<" not in "".join(row.split()), "the schedule has not failed"


@pytest.mark.parametrize(
    ("every", "period", "words", "chinese"),
    [
        (86400, "seconds", "every day", "每天"),
        (2, "days", "every 2 days", "每 2 天"),
        (60, "minutes", "every hour", "每小时"),
        (7200, "seconds", "every 2 hours", "每 2 小时"),
        (60, "seconds", "every minute", "每分钟"),
        (300, "seconds", "every 5 minutes", "每 5 分钟"),
        (1, "seconds", "every second", "每秒"),
        (90, "seconds", "every 90 seconds", "每 90 秒"),
    ],
)
def test_an_interval_is_said_as_people_say_it(staff_admin, every, period, words, chinese):
    PeriodicTask.objects.all().delete()
    interval = IntervalSchedule.objects.create(every=every, period=period)
    PeriodicTask.objects.create(name="ours", task="jobs.prune", interval=interval)
    assert f">{words}<" in "".join(part.strip() for part in staff_admin.get(SCHEDULE).text.splitlines())
    assert chinese in staff_admin.get(SCHEDULE, headers={"Accept-Language": "zh-Hans"}).text


def test_the_schedule_asks_the_same_number_of_questions_however_long_it_is(staff_admin, django_assert_max_num_queries):
    schedule_synchronise()
    for kind in ("events.prune", "jobs.prune", "answers.prune", "system.canary"):
        make_job(kind=kind)
    staff_admin.get(SCHEDULE)
    with django_assert_max_num_queries(12):
        assert staff_admin.get(SCHEDULE).status_code == 200


def test_jobs_of_the_house_are_for_superusers_and_others_see_those_of_their_projects(staff_admin, analyst, project):
    from django.contrib.auth.models import Group

    analyst.user.groups.set([Group.objects.get(name="Operator")])
    house, ours = make_job(kind="jobs.prune"), make_job(kind="events.prune", project=project)
    Job.objects.filter(pk=house.pk).update(project=None)
    assert [row.pk for row in staff_admin.get(JOBS).context["cl"].result_list] == [ours.pk, house.pk]
    assert staff_admin.get(page(house, "change")).status_code == 200
    assert [row.pk for row in analyst.get(JOBS).context["cl"].result_list] == [ours.pk]
    assert analyst.get(page(house, "change")).status_code == 302


def test_what_a_scheduled_job_does_is_told_in_the_readers_language(staff_admin):
    schedule_synchronise()
    PeriodicTask.objects.filter(name="canary").update(description="What staff wrote themselves.")
    text = staff_admin.get(SCHEDULE, headers={"Accept-Language": "zh-Hans"}).text
    assert "清除 JOB_DAYS 之前完成的作业。" in text
    assert "What staff wrote themselves." in text


def test_staff_run_a_scheduled_job_now(staff_admin):
    schedule_synchronise()
    row = PeriodicTask.objects.get(name="jobs-prune")
    assert "They run now" in act(staff_admin, SCHEDULE, "run_tasks", row).text
    made = Job.objects.get(kind="jobs.prune")
    assert (made.state, made.slot, made.asked_by) == ("queued", None, "staff: staff_admin")


def test_the_form_of_a_scheduled_job_keeps_its_kind(staff_admin):
    schedule_synchronise()
    row = PeriodicTask.objects.get(name="jobs-prune")
    address = page(row, "change")
    assert staff_admin.post(address, form_of(staff_admin, address)).status_code == 302
    row.refresh_from_db()
    assert (row.task, row.enabled) == ("jobs.prune", True)


def test_staff_stop_jobs_and_have_them_tried_again(staff_admin):
    waiting, over = make_job(), make_job(state="succeeded", due_at=None, finished_at=NOW)
    text = act(staff_admin, JOBS, "cancel_jobs", waiting, over).text
    assert "1 job." in text
    assert "1 job is not in a state for this." in text
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    act(staff_admin, JOBS, "retry_jobs", waiting)
    waiting.refresh_from_db()
    assert waiting.state == "queued"


def test_an_analyst_looks_and_does_nothing(analyst):
    job = make_job()
    assert analyst.get(page(job, "change")).status_code == 200
    act(analyst, JOBS, "cancel_jobs", job)
    job.refresh_from_db()
    assert job.state == "queued"


def test_progress_is_a_bar(staff_admin):
    job = make_job(state="running", attempts=1, progress_done=3, progress_total=9, progress_text="tables")
    for address in (JOBS, page(job, "change")):
        assert '<progress max="9" value="3">' in staff_admin.get(address).text
