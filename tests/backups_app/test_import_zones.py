"""Of every imported row whose time had no zone it is known which one was assumed, and the report counts such times."""

import json
import pickle
from datetime import UTC, datetime
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from backups_app.legacy.times import stamp_of, stamped, stated_time_read, time_read, times_assumed
from backups_app.models import ImportOrigin, ImportRun
from backups_app.services.legacy_import import chunks, import_resume
from backups_app.services.legacy_import.options import ImportOptions
from config.shared.callers import Caller
from history_app.models import Message
from sessions_app.models import Session
from tests.samples import agent_flow
from tests.samples.history_store import message, write_history, write_session

SHANGHAI = ZoneInfo("Asia/Shanghai")
IN_SHANGHAI = ImportOptions(zone=SHANGHAI)


def assumed(**of):
    """What the origins say by kind and id: the zone that was assumed, or nothing."""
    return {
        (kind, entry[0]): origin.assumed_timezone
        for origin in ImportOrigin.objects.filter(**of)
        for kind, entries in origin.records.items()
        for entry in entries
    }


@pytest.mark.parametrize(
    "text", ["2026-10-01T08:00:00", "2026-10-01 08:00", "2026-10-01", "datetime.datetime(2026, 1, 1, 8)"]
)
def test_a_time_without_a_zone_is_marked_and_is_the_same_moment(text):
    found = time_read(text, SHANGHAI)
    assert times_assumed(found) == 1
    assert found == found.astimezone(UTC)
    assert found.isoformat().endswith("+00:00")


@pytest.mark.parametrize("value", ["2026-10-01T08:00:00Z", "2026-10-01T08:00:00+08:00", 1790000000, "1790000000.5",
                                   "Thu, 01 Oct 2026 08:00:00 +0800"])  # fmt: skip
def test_a_time_that_names_its_zone_is_not_marked(value):
    assert times_assumed(time_read(value, SHANGHAI)) == 0


def test_the_mark_goes_along_with_the_moment():
    found, named = time_read("0999-12-31T23:00:00", UTC), time_read("1000-01-01T00:00:00Z", UTC)
    assert found is None
    marked = time_read("1000-01-01T00:00:00.000001", SHANGHAI) or time_read("1001-01-01T00:00:00.000001", SHANGHAI)
    for moment, number in ((marked, 1), (named, 0), (datetime(2026, 1, 1, tzinfo=UTC), 0)):
        for other in (stamped(stamp_of(moment)), pickle.loads(pickle.dumps(moment)), max(moment, moment)):
            assert (other, times_assumed(other)) == (moment, number)
    assert times_assumed(stated_time_read("2026-10-01 08:00:00", SHANGHAI), None, "x") == 0


@pytest.fixture
def mixed(tmp_path):
    """A store that names a zone for some times and none for others."""
    write_session(tmp_path, "s1", created_at="2026-10-01T08:00:00", updated_at="2026-10-01T09:00:00",
                  state={"start_time": "2026-10-01T08:00:00"})  # fmt: skip
    write_session(tmp_path, "s2", state={"start_time": "2026-10-01T08:00:00Z"})
    bare = {**message("s1", 1), "timestamp": "2026-10-01 16:00:01"}
    write_history(tmp_path, "s1", [bare, message("s1", 2)])
    return tmp_path


def test_every_row_says_whether_a_zone_was_assumed(bring_in, mixed):
    report = bring_in(mixed, options=IN_SHANGHAI)
    found = assumed()
    assert {key for key, zone in found.items() if zone == "Asia/Shanghai"} == {
        ("session", "s1"), ("state", "s1"), ("message", "message_1"),
    } | {key for key in found if key[0] == "workflow_run" and "s1" in key[1]}  # fmt: skip
    assert found["session", "s2"] == found["state", "s2"] == found["message", "message_2"] == ""
    assert Message.objects.get(record_id="message_1").timestamp == datetime(2026, 10, 1, 8, 0, 1, tzinfo=UTC)
    assert Session.objects.get(session_id="s1").created_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert {kind: counts.zoneless for kind, counts in report.kinds.items() if counts.zoneless} == {
        "session": 2, "message": 1,
    }  # fmt: skip


def test_the_report_counts_such_times_and_says_what_they_were_taken_as(project, mixed):
    def run(*more):
        out = StringIO()
        call_command("import_legacy", str(mixed), "--timezone", "Asia/Shanghai", *more, stdout=out)
        return out.getvalue()

    assert "Times without zone: 3, taken as Asia/Shanghai." in run("--dry-run")
    told = json.loads(run("--json"))
    assert told["times_without_zone"] == {"count": 3, "taken_as": "Asia/Shanghai"}
    assert ImportRun.objects.get().counts["session"]["zoneless"] == 2


def test_an_import_that_is_resumed_counts_them_once(bring_in, mixed, project, now, monkeypatch):
    class Stopped(Exception):
        pass

    def tell(standing):
        if standing.entries == 2:
            raise Stopped

    monkeypatch.setattr(chunks, "CHUNK_ENTRIES", 1)
    with pytest.raises(Stopped):
        bring_in(mixed, options=IN_SHANGHAI, progress=tell)
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    report = import_resume(path=mixed, project_id=project.pk, now=now, caller=caller)
    assert (report.zoneless, report.zone) == (3, "Asia/Shanghai")


def test_tasks_users_and_sources_say_so_too(bring_in, tmp_path):
    naive, aware = "2025-03-01 08:00:00", "2025-03-01T08:00:00Z"
    of = {"created_at": aware, "updated_at": aware}
    rows = {
        "task_history": [agent_flow.task(1, "s1", **{**of, "created_at": naive}), agent_flow.task(2, "s2", **of)],
        "subtasks": [agent_flow.step(1, 2, 0, **{**of, "updated_at": naive})],
        "tool_logs": [agent_flow.log(1, 1, created_at=naive), agent_flow.log(2, 2, created_at=aware)],
        "user_config": [agent_flow.user("u1", created_at=naive, updated_at=naive)],
        "knowledge_sources": [agent_flow.source(1, **{**of, "updated_at": naive})],
    }
    agent_flow.write_database(tmp_path / "agent_flow.db", rows)
    bring_in(tmp_path)
    found = assumed()
    assert found["task", "task_history:1"] == found["task", "task_history:2"] == "UTC"
    assert found["tool_call", "tool_logs:1"] == found["user_config", "u1"] == "UTC"
    assert found["tool_call", "tool_logs:2"] == ""
    assert {zone for (kind, _key), zone in found.items() if kind == "knowledge_source"} == {"UTC"}
    assert found["session", "s1"] == "UTC"
    assert found["session", "s2"] == ""


MOMENT = "'2025-01-01 08:00:00'"
DUMP = f"""INSERT INTO chat_sessions (session_id, user_id, created_at) VALUES ('d1','u',{MOMENT});
INSERT INTO chat_messages (id, session_id, role, content, timestamp) VALUES (1,'d1','user','a',{MOMENT});
"""


@pytest.mark.parametrize(
    ("head", "zone"), [("", "UTC"), ("SET TIME_ZONE='+00:00';\n", ""), ("SET TIME_ZONE='SYSTEM';\n", "UTC")]
)
def test_a_dump_that_names_its_zone_leaves_nothing_to_assume(bring_in, tmp_path, head, zone):
    (tmp_path / "dump.sql").write_text(head + DUMP)
    report = bring_in(tmp_path)
    found = assumed()
    assert (found["session", "d1"], found["message", "1"]) == (zone, zone)
    # The session's change stands in for its start, and is counted with it.
    assert report.zoneless == (3 if zone else 0)


def test_chats_have_the_mark_of_their_messages(bring_in, tmp_path):
    turn = {"role": "user", "content": "Rain?", "timestamp": "2025-01-01T08:00:00"}
    (tmp_path / "chats.json").write_text(json.dumps([{"id": "c1", "messages": [turn]}]))
    bring_in(tmp_path)
    assert set(assumed().values()) == {"UTC"}
