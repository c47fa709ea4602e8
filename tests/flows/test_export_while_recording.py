"""A slow client reads an export while the session is recorded: nobody waits for anybody, and the file is whole."""

import json
import sqlite3
import threading

import pytest
from django.db import connection, connections

from history_app.models import Message
from history_app.selectors import record_pages
from sessions_app.models import Project
from sessions_app.services.api_keys import api_key_create
from tests.clients import ApiClient
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db(transaction=True)

RECORDED, EACH = 60, 5


@pytest.fixture
def recorded(store, now):
    """A session of forty messages, and the client that reads it."""
    project, _made = Project.objects.get_or_create(slug="default", defaults={"name": "Default"})
    write(project, [record("message", f"m-{n:03}") for n in range(RECORDED)], now)
    _key, token = api_key_create(project=project, name="slow", role="admin", now=now)
    return project, ApiClient(token)


def _append_elsewhere(project, now, first):
    """Append messages over another connection, as another request would, and return what went wrong."""
    faults = []

    def append():
        try:
            for number in range(first, first + EACH):
                write(project, [record("message", f"new-{number:03}")], now)
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            faults.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=append)
    thread.start()
    thread.join()
    return faults


@pytest.mark.parametrize("form", ["jsonl", "json", "csv"])
def test_appends_go_on_between_any_two_pieces_of_the_file(recorded, now, monkeypatch, form):
    project, client = recorded
    monkeypatch.setattr(record_pages, "PAGE_RECORDS", 10)
    pieces, body, appended = iter(client.get("/api/sessions/s-1/export/", {"format": form})), b"", 0
    for piece in pieces:
        body += piece
        # The client has not asked for more yet: whatever the server holds open, it holds now.
        assert not connection.in_atomic_block
        assert _append_elsewhere(project, now, appended) == []
        appended += EACH
    assert appended >= EACH * RECORDED / 10
    assert Message.objects.count() == RECORDED + appended
    # What came before the messages were begun is there; it does not get longer while they are read.
    new = body.decode().count("new-")
    assert new <= EACH * 4
    assert [f"m-{n:03}" in body.decode() for n in range(RECORDED)] == [True] * RECORDED
    if form == "json":
        assert json.loads(body)["total_records"] == RECORDED + new


def test_a_cursor_held_open_would_stop_the_appends(recorded, now, monkeypatch):
    """The red control: this is what the pages are for."""
    if connection.vendor != "sqlite":
        pytest.skip("readers stop writers in SQLite's rollback journal only")
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)
    project, _client = recorded
    with sqlite3.connect(connection.settings_dict["NAME"]) as reader:
        if reader.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            pytest.skip("this SQLite is in WAL mode")
        rows = reader.execute("SELECT content FROM history_app_message")
        rows.fetchone()
        assert _append_elsewhere(project, now, 0) != []
        rows.close()
    reader.close()
    assert _append_elsewhere(project, now, 100) == []
