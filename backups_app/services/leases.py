"""Leases of long runs: who is at work renews one, and what is not renewed counts as dead."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.utils import timezone

log = structlog.get_logger(__name__)


def lease_end(now: datetime) -> datetime:
    """Return until when a run counts as alive that was heard of now."""
    return now + timedelta(seconds=settings.JOB_LEASE)


@contextmanager
def lease_renewed(running: QuerySet[Any], name: str, clock: Callable[[], datetime] = timezone.now) -> Iterator[None]:
    """Renew the `lease_until` of the one row that `running` selects, until the context is left or the row is gone."""
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(running, name, clock, over), name=name, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(running: QuerySet[Any], name: str, clock: Callable[[], datetime], over: threading.Event) -> None:
    try:
        while not over.wait(settings.JOB_LEASE / 3):
            try:
                if not running.all().update(lease_until=lease_end(clock())):
                    return
            except DatabaseError:
                # The next turn tries anew; a lease that ends meanwhile is judged by whoever looks for dead runs.
                log.warning("run_lease_not_renewed", run=name)
                connection.close()
    finally:
        connection.close()
