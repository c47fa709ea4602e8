"""Idle agents: released in bounded steps, by API, command and schedule."""

from datetime import datetime, timedelta

from sessions_app.models import Event, Session
from sessions_app.services.events import events_record
from sessions_app.services.pace import Pace
from sessions_app.services.residency.leases import LeaseStore, Projects, lease_store

BATCH = 250


def agents_release_idle(
    *,
    now: datetime,
    idle_seconds: int,
    projects: Projects = None,
    batch: int = BATCH,
    at_most: int | None = None,
    share: float = 1.0,
) -> int:
    """Release the agents without a heartbeat for `idle_seconds`, and return how many. No data is touched.

    `projects` are the projects meant, None all of them. At most `batch` agents are released in one step, fewer where
    steps last long, and `at_most` in one call; `share` is the part of the time that it is at work. Safe to run twice at
    once. Raises Unavailable while the store of leases is away.
    """
    store, before = lease_store(), now - timedelta(seconds=idle_seconds)
    total, pace = 0, Pace(share, batch)
    while at_most is None or total < at_most:
        step = pace.size if at_most is None else min(pace.size, at_most - total)
        released = _released(store, before, projects, step, now, pace)
        total += released
        if released < step:
            break
        pace.rest()
    return total


def _released(  # noqa: PLR0917 - one batch
    store: LeaseStore, before: datetime, projects: Projects, limit: int, now: datetime, pace: Pace
) -> int:
    """Release one batch, and tell of it in the same transaction where the leases are in the database."""
    with pace.at_work(atomic=store.is_transactional):
        pks = store.release_idle(before=before, projects=projects, limit=limit)
        subjects: dict[int, list[tuple[str, None]]] = {}
        for project_id, name in Session.objects.kept().filter(pk__in=pks).values_list("project_id", "session_id"):
            subjects.setdefault(project_id, []).append((name, None))
        for project_id, names in sorted(subjects.items()):
            events_record(project_id=project_id, kind=Event.Kind.SESSION_RELEASED, subjects=names, now=now)
    return len(pks)
