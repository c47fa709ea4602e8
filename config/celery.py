"""The Celery application. Jobs are rows; its one task runs the row that a message names."""

import os

from celery import Celery
from celery.signals import worker_init

from config.file_broker import use_whole_files

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
use_whole_files()

app = Celery("agentledger")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(related_name="jobs")


@worker_init.connect
def sweep_too(**_: object) -> None:
    """Give the worker its sweep; loaded here, because it needs Django's apps."""
    from config.sweeper import SweepStep

    app.steps["worker"].add(SweepStep)
