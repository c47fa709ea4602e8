"""The status page over a million sessions: over HTTP, as counts by status, agents in memory, and what has expired."""

from datetime import timedelta

from django.utils import timezone

from sessions_app.models import AgentResidency, Project, Session
from sessions_app.services.api_keys import api_key_create
from tests.bench.report import Line
from tests.bench.rows import fill
from tests.bench.sections import Work
from tests.bench.servers import WARM, Asker, serving

GOAL_MS = 100
AGENTS = 1000
DUE = 900
PAGE = "/api/sessions/status/"


def measure(work: Work) -> list[Line]:
    """Fill the store, then ask for the page."""
    sessions, rounds = work.scaled(1_000_000, 2000), work.scaled(200, 20)
    # One of its own: other sections fill the default one with sessions of the same names.
    project = Project.objects.create(slug="counts", name="Counts")
    _fill(project, sessions)
    _key, token = api_key_create(project=project, name="counts", role="admin", now=timezone.now())
    with serving("config.wsgi") as port:
        asker = Asker(port, {"Authorization": f"Bearer {token}"})
        taken = sorted([asker.seconds(PAGE) for _ in range(WARM + rounds)][WARM:])
    p95 = 1000 * taken[int(rounds * 0.95)]
    note = f"{sessions:,} sessions, {AGENTS:,} agents in memory; limit is the goal in ms"
    return [Line("status page, p95", p95, GOAL_MS, "ms", "<= 1", note)]


def _fill(project: Project, sessions: int) -> None:
    """Store the sessions; some have expired and wait for the next clean-up, and some have their agents in memory."""
    fill(project_id=project.pk, sessions=sessions, messages_each=0)
    newest = list(Session.objects.filter(project=project).order_by("-pk")[: DUE + AGENTS])
    due = [session.pk for session in newest[:DUE]]
    Session.objects.filter(pk__in=due).update(status=Session.Status.ACTIVE, expires_at=timezone.now())
    _agents(newest[DUE:])


def _agents(rows: list[Session]) -> None:
    now = timezone.now()
    for number, row in enumerate(rows):
        at = now - timedelta(seconds=number * 4)
        AgentResidency.objects.create(
            session=row,
            project_id=row.project_id,
            agent_id=f"a{number}",
            host="h",
            fence=1,
            resident_since=at,
            heartbeat_at=at,
        )
