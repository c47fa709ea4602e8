"""The Celery application of these tests: the product's, with kinds of jobs that leave a trace.

Run as a program it asks for work: `python -m tests.jobs_at_work.worker KIND COUNT [plain]`.
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


def ask(kind: str, count: int, *, is_plain: bool) -> None:
    """Ask for so many jobs, each in a transaction of its own, as requests do."""
    for number in range(count):
        if is_plain:
            plain.apply_async((number,), retry=False)
        else:
            job_enqueue(kind=kind, arguments={"number": number}, now=timezone.now())
    _relay._farewell()


if __name__ == "__main__":
    ask(sys.argv[1], int(sys.argv[2]), is_plain="plain" in sys.argv[3:])
