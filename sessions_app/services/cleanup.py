"""Clean-up: expired sessions marked, idle agents released. No data is removed."""

from dataclasses import dataclass
from datetime import datetime

from sessions_app.services.expiry import sessions_mark_expired
from sessions_app.services.residency import agents_release_idle
from sessions_app.services.residency.leases import Projects


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a clean-up did; `complete` is False when it stopped at its bound with work left."""

    expired: int
    released: int
    complete: bool = True


def sessions_cleanup(
    *, now: datetime, idle_seconds: int, projects: Projects = None, at_most: int | None = None, share: float = 1.0
) -> Cleaned:
    """Mark expired sessions and release idle agents of these projects (None: of all), in bounded batches.

    With `at_most` the call stops once it has done about so many of each; `share` is the part of the time that it is at
    work, and not resting for the sake of writers. Safe to run twice at once, and again after it
    was cut short. Raises Unavailable while the store of leases is away; expired sessions are marked all the same.
    """
    expired = sessions_mark_expired(now=now, projects=projects, at_most=at_most, share=share)
    released = agents_release_idle(now=now, idle_seconds=idle_seconds, projects=projects, at_most=at_most, share=share)
    return Cleaned(expired, released, complete=at_most is None or max(expired, released) < at_most)
