"""The Celery application of these tests: the product's, with kinds of jobs that leave a trace.

Run as a program it asks for work: `python -m tests.jobs_at_work.worker KIND COUNT [HOW]`. HOW is `slowly` for a pause
after each, `patiently` where many workers write to one SQLite file (who waits for it is not served in turn), `plain`
for a task without a row, `unconfirmed` for one whose message nobody confirms, `dies-before` and `dies-after` for a
process that is killed when it has committed a job, before or after the message leaves. Ends with 3 when asking for one
took 5 s, unless it says how.
"""

import os
import signal
import sys
import time

import django

from config.celery import app

django.setup()

from django.utils import timezone  # noqa: E402

from config.shared.jobs import job  # noqa: E402
from config.waking import _relay  # noqa: E402
from sessions_app.models import Event  # noqa: E402
from sessions_app.services.events import event_record  # noqa: E402
from sessions_app.services.jobs import job_enqueue  # noqa: E402

WORK_SECONDS = 0.02
# Who asks may be held up for so long at most, whatever the broker does.
MOST_SECONDS = 5
PAUSE_SECONDS = 0.2
FAREWELL_SECONDS = 10


@job("torture.effect", atomic=True)
def effect(run, number):
    """Work for a moment and leave one trace."""
    time.sleep(WORK_SECONDS)
    event_record(project_id=None, kind="torture.effect", subject=str(number), now=run.now)


@job("torture.poison")
def poison(run, number):
    """End the worker, as a crash would."""
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="torture.plain", acks_late=False, reject_on_worker_lost=False)
def plain(number):
    """Do the same without a row, as Celery does by itself: the control that has to lose."""
    time.sleep(WORK_SECONDS * 10)
    Event.objects.create(kind="torture.plain", subject=str(number), created_at=timezone.now())


def ask(kind: str, number: int, how: str) -> None:
    """Ask for one job in a transaction of its own, as requests do."""
    if how == "plain":
        plain.apply_async((number,), retry=False)
    elif how == "unconfirmed":
        plain.apply_async((number,), retry=False, delivery_mode=1)
    elif how.startswith("dies"):
        _ask_and_die(kind, number, how)
    else:
        job_enqueue(kind=kind, arguments={"number": number}, now=timezone.now())


def _ask_and_die(kind: str, number: int, how: str) -> None:
    if child := os.fork():
        os.waitpid(child, 0)
        return
    publish = _relay._publish

    def fatal(job_id: int) -> None:
        if how == "dies-after":
            publish(job_id)
        os.kill(os.getpid(), signal.SIGKILL)

    _relay._publish = fatal
    job_enqueue(kind=kind, arguments={"number": number}, now=timezone.now())
    time.sleep(MOST_SECONDS * 10)
    os._exit(1)


def main(kind: str, count: int, how: str = "") -> int:
    """Ask for so many jobs. Returns the exit code."""
    if how == "unconfirmed":
        app.conf.broker_transport_options = {"confirm_publish": False}
    longest = 0.0
    for number in range(count):
        begun = time.monotonic()
        ask(kind, number, how)
        longest = max(longest, time.monotonic() - begun)
        if how == "slowly":
            time.sleep(PAUSE_SECONDS)
    # A web server lives on: what it has to publish goes out, however slow the machine is.
    ends = time.monotonic() + FAREWELL_SECONDS
    while _relay._waiting.unfinished_tasks and time.monotonic() < ends:
        time.sleep(0.01)
    return 3 if longest > MOST_SECONDS and not how else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
