"""Many writers of every kind at one session: nobody waits in a circle, and nothing is lost."""

import threading

import pytest
from django.db import connection, connections

from history_app.models import Message
from history_app.services.ingest import records_write
from history_app.services.records import record_parse
from sessions_app.models import SessionState
from sessions_app.services.drafts import StateDraft
from sessions_app.services.residency import agent_heartbeat
from sessions_app.services.sessions import session_update
from sessions_app.services.states import state_save
from tests.factories import make_session

WRITERS = 3
ROUNDS = 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor == "sqlite", reason="the tests' SQLite is in memory, which threads cannot share under load"
)
def test_writers_of_every_kind_lose_nothing(project, now):
    session = make_session(project=project, session_id="s1")

    def append(number: int) -> None:
        raw = {"record_type": "message", "session_id": "s1", "record_id": f"m{number}", "role": "user", "content": "x"}
        records_write(project_id=project.pk, drafts=[record_parse(raw, now=now)], now=now)

    def save(number: int) -> None:
        state_save(session=session, draft=StateDraft(iteration_count=number), now=now)

    def edit(number: int) -> None:
        session_update(session=session, changes={"metadata": {f"k{number}": number}}, now=now)

    def beat(number: int) -> None:
        agent_heartbeat(session=session, agent_id=f"a{number}", host="h", now=now)

    faults: list[Exception] = []

    def run(work, first: int) -> None:
        try:
            for number in range(first, first + ROUNDS):
                work(number)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            faults.append(error)
        finally:
            connections.close_all()

    kinds = (append, save, edit, beat)
    threads = [threading.Thread(target=run, args=(work, n * ROUNDS)) for work in kinds for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = WRITERS * ROUNDS
    assert faults == []
    assert sorted(Message.objects.values_list("sequence", flat=True)) == list(range(1, total + 1))
    assert sorted(SessionState.objects.values_list("version", flat=True)) == list(range(1, total + 1))
    session.refresh_from_db()
    assert session.metadata == {f"k{number}": number for number in range(total)}
    assert session.version == total + 1
