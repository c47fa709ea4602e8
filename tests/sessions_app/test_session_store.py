"""The session store of document 004: its calls, errors and transactions, in a loop, in a thread and in a script."""

import asyncio
import copy
import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections

from sessions_app.models import AuditEntry, Project, Session, SessionState
from sessions_app.models.accounts import DEFAULT_PROJECT
from sessions_app.services.session_store import (
    SessionData,
    SessionStore,
    StorageError,
    StorageNotFoundError,
    SyncSessionStore,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = {
    "metadata": {"status": "active", "user_id": "ada", "tags": ["vip"], "customer": "ACME"},
    "thread_configs": {"t1": {"model": "gpt-4o"}},
    "workflow_state": {"current_step": "ask", "iteration_count": 2, "errors": [], "messages": [{"role": "user"}]},
    "settings": {"language": "zh"},
    "anything": {"else": [1, 2.5, None]},
}


@pytest.fixture
def team(db):
    return Project.objects.get_or_create(slug=DEFAULT_PROJECT, defaults={"name": "Default"})[0]


@pytest.fixture
def sessions(team):
    return SyncSessionStore(team.pk)


def _own(data):
    """Return a session's data without what the store itself says."""
    metadata = {k: v for k, v in data["metadata"].items() if k not in ("session_id", "created_at", "updated_at")}
    return {**data, "metadata": {k: v for k, v in metadata.items() if k != "workflow_config_path"}}


@pytest.mark.django_db
class TestCalls:
    """What each call does, in its sync form."""

    def test_a_session_comes_back_as_it_was_saved(self, sessions):
        given = copy.deepcopy(DATA)
        assert sessions.save_session("s1", given) is None
        # The original wrote its timestamps into what it was given.
        assert given == DATA
        stored = sessions.get_session("s1")
        assert _own(stored) == DATA
        assert stored["metadata"]["session_id"] == "s1"
        assert datetime.fromisoformat(stored["metadata"]["created_at"]).utcoffset().total_seconds() == 0
        state = SessionState.objects.current().get()
        assert (state.current_step, state.iteration_count) == ("ask", 2)

    def test_the_typed_form_goes_there_and_back(self, sessions):
        sessions.save_session("s1", DATA)
        typed = SessionData.of(sessions.get_session("s1"))
        assert (typed.metadata.user_id, typed.metadata.tags, typed.settings) == ("ada", ["vip"], {"language": "zh"})
        sessions.save_session("s1", typed.data())
        assert _own(sessions.get_session("s1")) == DATA

    def test_what_is_not_there(self, sessions):
        assert sessions.get_session("nowhere") is None
        assert sessions.session_exists("nowhere") is False
        for call in (sessions.delete_session, lambda name: sessions.update_session(name, {"settings": {}})):
            with pytest.raises(StorageNotFoundError, match="nowhere"):
                call("nowhere")

    def test_an_update_merges(self, sessions):
        # The original replaced the whole data by the updates.
        sessions.save_session("s1", DATA)
        before = sessions.get_session("s1")
        sessions.update_session("s1", {"settings": {"theme": "dark"}, "metadata": {"customer": None, "plan": "pro"}})
        sessions.update_session("s1", {"workflow_state": {"current_step": "tell", "found": True}})
        after = sessions.get_session("s1")
        assert after["settings"] == {"language": "zh", "theme": "dark"}
        assert after["workflow_state"] == {**DATA["workflow_state"], "current_step": "tell", "found": True}
        assert after["anything"] == DATA["anything"]
        assert (after["metadata"]["plan"], "customer" in after["metadata"]) == ("pro", False)
        assert after["metadata"]["created_at"] == before["metadata"]["created_at"]
        assert after["metadata"]["updated_at"] > before["metadata"]["updated_at"]

    def test_the_documents_own_statuses_are_kept(self, sessions):
        sessions.save_session("s1", {"metadata": {"status": "unknown"}})
        assert Session.objects.get().status == "inactive"
        assert sessions.get_session("s1")["metadata"]["status"] == "unknown"
        sessions.save_session("s2", {"metadata": {"status": "inactive"}})
        for status, wanted in (("unknown", ["s1"]), ("inactive", ["s2"]), ("error", []), ("failed", [])):
            found = [row["metadata"]["session_id"] for row in sessions.list_sessions({"status": status})]
            assert found == wanted
        sessions.update_session("s1", {"metadata": {"status": "active"}})
        assert sessions.get_session("s1")["metadata"]["status"] == "active"

    def test_lists_are_filtered_and_limited(self, sessions, other_project):
        SyncSessionStore(other_project.pk).save_session("theirs", {"metadata": {"status": "active"}})
        for number, status in enumerate(("active", "completed", "active")):
            metadata = {"status": status, "customer": f"c{number % 2}", "tags": ["t", f"t{number}"]}
            sessions.save_session(f"s{number}", {"metadata": metadata, "workflow_state": {"n": number}})

        def found(filters=None, limit=None):
            return sorted(row["metadata"]["session_id"] for row in sessions.list_sessions(filters, limit))

        assert found() == ["s0", "s1", "s2"]
        assert found({"status": "active"}) == ["s0", "s2"]
        assert found({"status": "active", "customer": "c0", "tags": ["t", "t2"]}) == ["s2"]
        assert len(found(limit=2)) == 2
        assert {row["workflow_state"]["n"] for row in sessions.list_sessions()} == {0, 1, 2}
        with pytest.raises(StorageError, match="no such filter"):
            found({"workflow_config_path": "x"})
        with pytest.raises(StorageError, match="A status is a text"):
            found({"status": ["active"]})

    def test_a_list_takes_two_queries(self, sessions, django_assert_num_queries):
        for number in range(12):
            sessions.save_session(f"s{number}", DATA)
        with django_assert_num_queries(2):
            assert len(sessions.list_sessions()) == 12

    @pytest.mark.parametrize(
        "bad",
        [
            {"metadata": {"status": "asleep"}},
            {"metadata": {"session_id": "other"}},
            {"metadata": {"tags": "vip"}},
            {"metadata": {"created_at": "yesterday"}},
            {"settings": []},
            {"workflow_state": "text"},
            {"settings": {"x": object()}},
            {"metadata": {"user_id": "u" * 256}},
        ],
    )
    def test_what_cannot_be_saved_is_told_and_saves_nothing(self, sessions, bad):
        # The original's adapter answered False, whatever had happened.
        with pytest.raises(StorageError, match="Failed to save"):
            sessions.save_session("s1", bad)
        with pytest.raises(StorageError, match="Failed to save"):
            sessions.batch_save_sessions({"s0": DATA, "s1": bad})
        assert not Session.objects.exists()

    def test_a_batch_is_deleted_whole_or_not_at_all(self, sessions):
        sessions.batch_save_sessions({f"s{number}": DATA for number in range(3)})
        with pytest.raises(StorageNotFoundError) as refused:
            sessions.batch_delete_sessions(["s0", "gone", "s1", "lost"])
        assert refused.value.session_ids == ["gone", "lost"]
        assert Session.objects.count() == 3
        sessions.batch_delete_sessions(["s0", "s1"])
        assert list(Session.objects.values_list("session_id", flat=True)) == ["s2"]
        assert AuditEntry.objects.filter(action="session.delete").count() == 2

    def test_a_state_that_did_not_change_makes_no_checkpoint(self, sessions):
        for _ in range(3):
            sessions.save_session("s1", DATA)
        assert SessionState.objects.count() == 1

    @pytest.mark.skipif(connection.vendor == "mysql", reason="MariaDB commits before it renames a table")
    def test_a_failing_database_is_no_empty_answer(self, sessions):
        # The original answered None and False to every error of reading.
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE sessions_app_session RENAME TO hidden")
            try:
                for call in (sessions.get_session, sessions.session_exists):
                    with pytest.raises(StorageError, match="Failed to"):
                        call("s1")
            finally:
                if connection.vendor != "postgresql":
                    cursor.execute("ALTER TABLE hidden RENAME TO sessions_app_session")


@pytest.mark.django_db(transaction=True)
class TestWhereItRuns:
    """Async in a loop, and the sync face wherever it is called."""

    @pytest.fixture(autouse=True)
    def _closed(self, store):
        """Close what async calls opened in the one thread that outlives them: no database is dropped under it."""
        yield
        asyncio.run(sync_to_async(connections.close_all)())

    def test_the_async_calls_in_a_running_loop(self, store, team):
        sessions = SessionStore(team.pk)

        async def day():
            await sessions.batch_save_sessions({"s1": DATA, "s2": {"metadata": {"status": "active"}}})
            await sessions.update_session("s2", {"settings": {"n": 1}})
            both = await asyncio.gather(sessions.get_session("s1"), sessions.session_exists("s2"))
            listed = await sessions.list_sessions({"user_id": "ada"}, limit=5)
            await sessions.delete_session("s2")
            await sessions.batch_delete_sessions(["s1"])
            with pytest.raises(StorageNotFoundError):
                await sessions.delete_session("s1")
            return both, listed

        (data, exists), listed = asyncio.run(day())
        assert (_own(data), exists, len(listed)) == (DATA, True, 1)
        assert not Session.objects.exists()

    def test_the_sync_face_below_a_running_loop(self, store, team):
        # asyncio.run(), by which document 004's adapter did it, raises RuntimeError here.
        sessions = SyncSessionStore(team.pk)

        async def legacy():
            sessions.save_session("s1", DATA)
            sessions.update_session("s1", {"settings": {"n": 1}})
            return sessions.get_session("s1"), sessions.session_exists("s1"), sessions.list_sessions()

        data, exists, listed = asyncio.run(legacy())
        assert (data["settings"], exists, len(listed)) == ({"language": "zh", "n": 1}, True, 1)

    def test_the_sync_face_in_a_thread(self, store, team):
        sessions, found = SyncSessionStore(team.pk), []

        def work():
            sessions.save_session("s1", DATA)
            found.append(sessions.get_session("s1"))
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert _own(found[0]) == DATA


SCRIPT = """
import asyncio, django
django.setup()
from sessions_app.models import Project
from sessions_app.services.session_store import SessionStore, SyncSessionStore
pk = Project.objects.get(slug="default").pk
SyncSessionStore(pk).save_session("s1", {"settings": {"n": 1}})
print(asyncio.run(SessionStore(pk).get_session("s1"))["settings"])
"""


def test_both_faces_in_a_plain_script(tmp_path, migrated):
    migrated(tmp_path)
    env = {**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'n': 1}"
