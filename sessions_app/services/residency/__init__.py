"""Residency: which session has its agent in memory, under which lease; released when idle, without touching data."""

from sessions_app.services.residency.beats import agent_heartbeat, agent_release
from sessions_app.services.residency.idle import agents_release_idle
from sessions_app.services.residency.leases import Lease
from sessions_app.services.residency.overview import residencies_newest, residency_counts

__all__ = [
    "Lease",
    "agent_heartbeat",
    "agent_release",
    "agents_release_idle",
    "residencies_newest",
    "residency_counts",
]
