"""Leases in the database: one row of AgentResidency each."""

from datetime import datetime

from django.db import transaction
from django.db.models import Count, F, Q
from django.db.models.functions import Greatest

from sessions_app.models import AgentResidency
from sessions_app.models.residency import AgentResidencyQuerySet
from sessions_app.services.residency.leases import Lease, Projects


class DatabaseLeases:
    """Writes under the session's lock, which whoever hands out tokens holds."""

    is_transactional = True

    def put(self, lease: Lease) -> Lease:
        """Store the lease in the place of any older one."""
        rows = AgentResidency.objects.filter(pk=lease.session_pk)
        same_agent = rows.filter(agent_id=lease.agent_id, host=lease.host)
        # The clocks of two servers differ: a heartbeat never lies before the start that another one wrote.
        beat = Greatest(F("resident_since"), lease.heartbeat_at)
        if not same_agent.update(fence=lease.fence, heartbeat_at=beat):
            newcomer = {
                "project_id": lease.project_id,
                "agent_id": lease.agent_id,
                "host": lease.host,
                "fence": lease.fence,
                "resident_since": lease.resident_since,
                "heartbeat_at": lease.heartbeat_at,
            }
            if not rows.update(**newcomer):
                AgentResidency.objects.create(session_id=lease.session_pk, **newcomer)
        return _lease(rows.get())

    def renew(self, *, session_pk: int, project_id: int, fence: int, host: str, now: datetime) -> Lease | None:
        """Note a heartbeat of the lease with this token."""
        rows = AgentResidency.objects.filter(pk=session_pk, fence=fence)
        rows.update(host=host, heartbeat_at=Greatest(F("resident_since"), now))
        row = rows.first()
        return _lease(row) if row else None

    def release(self, *, session_pk: int, project_id: int, fence: int | None) -> bool:
        """End the session's lease, or only the one with this token."""
        rows = AgentResidency.objects.filter(pk=session_pk)
        deleted, _by_model = (rows if fence is None else rows.filter(fence=fence)).delete()
        return bool(deleted)

    def release_idle(self, *, before: datetime, projects: Projects, limit: int) -> list[int]:
        """End leases that are idle, judged again in the statement that ends them."""
        idle = _of(projects).idle_since(before)
        pks = list(idle.order_by("heartbeat_at").values_list("pk", flat=True)[:limit])
        with transaction.atomic():
            chosen = idle.select_for_update().filter(pk__in=pks).order_by("pk")
            gone = list(chosen.values_list("pk", flat=True))
            idle.filter(pk__in=gone).delete()
        return gone

    def counts(self, *, before: datetime, projects: Projects) -> tuple[int, int]:
        """Count all, and the idle ones."""
        counted = _of(projects).aggregate(all=Count("pk"), idle=Count("pk", filter=Q(heartbeat_at__lte=before)))
        return counted["all"], counted["idle"]

    def newest(self, *, projects: Projects, limit: int) -> list[Lease]:
        """Return those with the newest heartbeats."""
        return [_lease(row) for row in _of(projects).order_by("-heartbeat_at", "-pk")[:limit]]


def _of(projects: Projects) -> AgentResidencyQuerySet:
    rows: AgentResidencyQuerySet = AgentResidency.objects.all()
    return rows if projects is None else rows.filter(project_id__in=projects)


def _lease(row: AgentResidency) -> Lease:
    return Lease(
        session_pk=row.pk,
        project_id=row.project_id,
        agent_id=row.agent_id,
        host=row.host,
        fence=row.fence,
        resident_since=row.resident_since,
        heartbeat_at=row.heartbeat_at,
    )
