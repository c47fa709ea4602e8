"""What a lease is, and what every store of leases can do: the database, or Redis when REDIS_URL is set."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Lease:
    """One agent in memory: who holds the session, since when, and the fencing token that proves it."""

    session_pk: int
    project_id: int
    agent_id: str
    host: str
    fence: int
    resident_since: datetime
    heartbeat_at: datetime


# Projects whose leases are meant; None means all of them.
Projects = Collection[int] | None


class LeaseStore(Protocol):
    """Keeps at most one lease a session. Raises Unavailable while it is away."""

    # Whether its writes belong into the database transaction that hands out the token.
    is_transactional: bool

    def put(self, lease: Lease) -> Lease:
        """Store the lease in the place of any older one; the same agent on the same host stays since when it was."""

    def renew(self, *, session_pk: int, project_id: int, fence: int, host: str, now: datetime) -> Lease | None:
        """Note a heartbeat of the lease with this token and return it; None when that lease is gone."""

    def release(self, *, session_pk: int, project_id: int, fence: int | None) -> bool:
        """End the session's lease, or only the one with this token; return whether there was one."""

    def release_idle(self, *, before: datetime, projects: Projects, limit: int) -> list[int]:
        """End at most `limit` leases without a heartbeat after `before`; return the sessions that they were of."""

    def counts(self, *, before: datetime, projects: Projects) -> tuple[int, int]:
        """Return how many leases there are, and how many of them without a heartbeat after `before`."""

    def newest(self, *, projects: Projects, limit: int) -> list[Lease]:
        """Return the leases with the newest heartbeats."""


def lease_store() -> LeaseStore:
    """Return the store that the settings name."""
    return _store(settings.REDIS_URL, settings.RESIDENCY_PREFIX)


@lru_cache(maxsize=8)
def _store(redis_url: str, prefix: str) -> LeaseStore:
    # The client of Redis is loaded only where it is used.
    if redis_url:
        from sessions_app.services.residency.redis_leases import RedisLeases

        return RedisLeases(redis_url, prefix)
    from sessions_app.services.residency.database_leases import DatabaseLeases

    return DatabaseLeases()
