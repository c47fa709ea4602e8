"""What the status page tells of agents in memory."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from config.shared.callers import Caller
from sessions_app.models import Session
from sessions_app.services.residency.leases import Lease, lease_store

RESIDENCIES_SHOWN = 1000
NAMES_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class Residency:
    """One lease with the session that it is about, and whether its agent is idle."""

    session: Session
    lease: Lease
    is_idle: bool


def residency_counts(*, caller: Caller, now: datetime, idle_seconds: int) -> dict[str, int]:
    """Return how many agents are in memory, and how many of them are idle: without a heartbeat for `idle_seconds`."""
    before = now - timedelta(seconds=idle_seconds)
    resident, idle = lease_store().counts(before=before, projects=caller.project_ids)
    return {"resident_agents": resident, "idle_agents": idle}


def residencies_newest(
    *, caller: Caller, now: datetime, idle_seconds: int, limit: int = RESIDENCIES_SHOWN
) -> list[Residency]:
    """Return the agents in memory, the newest heartbeat first, at most `limit`."""
    leases = lease_store().newest(projects=caller.project_ids, limit=limit)
    pks, before = [lease.session_pk for lease in leases], now - timedelta(seconds=idle_seconds)
    sessions: dict[int, Session] = {}
    for start in range(0, len(pks), NAMES_PER_QUERY):
        named = Session.objects.visible_to(caller).only("project_id", "session_id", "title")
        sessions.update(named.in_bulk(pks[start : start + NAMES_PER_QUERY]))
    # In Redis the lease of a deleted session may stay until it is idle.
    return [
        Residency(sessions[lease.session_pk], lease, lease.heartbeat_at <= before)
        for lease in leases
        if lease.session_pk in sessions
    ]
