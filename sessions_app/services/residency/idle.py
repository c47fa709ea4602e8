"""Idle agents: released in bounded steps, by API, command and schedule."""

from datetime import datetime, timedelta

from sessions_app.services.residency.leases import Projects, lease_store

BATCH = 1000


def agents_release_idle(
    *, now: datetime, idle_seconds: int, projects: Projects = None, batch: int = BATCH, at_most: int | None = None
) -> int:
    """Release the agents without a heartbeat for `idle_seconds`, and return how many. No data is touched.

    `projects` are the projects meant, None all of them. At most `batch` agents are released in one step, and `at_most`
    in one call. Safe to run twice at once. Raises Unavailable while the store of leases is away.
    """
    store, before, total = lease_store(), now - timedelta(seconds=idle_seconds), 0
    while at_most is None or total < at_most:
        step = batch if at_most is None else min(batch, at_most - total)
        released = store.release_idle(before=before, projects=projects, limit=step)
        total += released
        if released < step:
            break
    return total
