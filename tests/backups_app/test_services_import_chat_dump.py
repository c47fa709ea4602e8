"""The import of chat dumps: once, and as the real dumps beside the repository expect it."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from backups_app.legacy.locations import URL
from backups_app.models import ImportFinding
from history_app.models import Message
from sessions_app.models import Session
from tests.backups_app.chat_servers import chat_server, load, needs_mariadb, run
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.reports import new


def told(run, **wanted):
    return set(ImportFinding.objects.filter(run=run.run_id, **wanted).values_list("code", flat=True))


def test_a_dump_comes_in_once(tmp_path, bring_in):
    text = (
        "INSERT INTO chat_messages VALUES ('m2','s1','assistant','hi','2026-10-01 08:00:02'),"
        "('m1','s1','user','hello\\0','2026-10-01 08:00:01'),('m3','lost','user','?','2026-10-01 08:00:00');\n"
        "INSERT INTO chat_sessions VALUES ('s1','u1','T','2026-10-01 08:00:00',NULL,'{}','rag-1');\n"
    )
    (tmp_path / "chat.sql").write_text(text, encoding="utf-8")
    first, second = bring_in(tmp_path / "chat.sql"), bring_in(tmp_path)
    assert new(first) == {"session": 1, "message": 3, "placeholder_session": 1}
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})
    assert Session.objects.get(session_id="s1").external_ids == {"ragflow_session_id": "rag-1"}
    found = Message.objects.filter(session__session_id="s1").order_by("sequence")
    assert list(found.values_list("record_id", "content")) == [("m1", "hello\ufffd"), ("m2", "hi")]


@pytest.fixture(scope="module")
def living():
    """A server with the real dumps: the clean one in `chat`, the dirty one in `dirty`."""
    with chat_server() as server:
        for name, dump in (("chat", "stores/mysql_chat/chat.sql"), ("dirty", "dirty/mysql_chat/plain.sql")):
            run(server.url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
            load(URL(server.url.replace("/mysql", f"/{name}")), REAL / dump)
        yield lambda name: URL(server.url.replace("/mysql", f"/{name}"))


@with_real_stores
def test_the_clean_dump_is_in_the_ledger_as_expected(bring_in):
    as_expected(bring_in(REAL / "stores/mysql_chat"))


@needs_mariadb
@with_real_stores
def test_the_living_server_is_in_the_ledger_as_expected_and_its_dump_adds_nothing(bring_in, living):
    as_expected(bring_in(living("chat")))
    for again in (bring_in(living("chat")), bring_in(REAL / "stores/mysql_chat")):
        assert (again.status, new(again), again.kinds["message"].same) == ("completed", {}, 1506)
    assert not ImportFinding.objects.exclude(code="stray_file").exists()


@needs_mariadb
@with_real_stores
def test_a_living_server_with_odd_rows_is_the_same_as_its_dump(bring_in, living):
    first, again = bring_in(REAL / "dirty/mysql_chat/plain.sql"), bring_in(living("dirty"))
    assert (again.status, new(again)) == ("completed", {})
    assert {kind: counts.same for kind, counts in again.kinds.items() if counts.same} == new(first)
    assert told(again) == told(first)


def as_expected(report):
    root = REAL / "stores/mysql_chat"
    expected = json.loads((root / "expected.json").read_text(encoding="utf-8"))
    counts = expected["counts"]
    assert (report.status, {kind.conflicting + kind.rejected for kind in report.kinds.values()}) == ("completed", {0})
    sessions = list(Session.objects.all())
    assert (len(sessions), Message.objects.count()) == (counts["sessions"], counts["messages"])
    assert Counter(Message.objects.values_list("role", flat=True)) == expected["messages_by_role"]
    assert len({session.user_id for session in sessions}) == counts["users"]
    assert sum("ragflow_session_id" in session.external_ids for session in sessions) == counts["ragflow_session_ids"]
    for check in expected["spot_checks"]:
        row = check["row"]
        if check["table"] == "chat_messages":
            message = Message.objects.get(record_id=row["id"])
            assert (message.session.session_id, message.role, message.content) == (
                row["session_id"], row["role"], row["content"],
            )  # fmt: skip
            assert f"{message.timestamp:%Y-%m-%d %H:%M:%S}" == row["timestamp"]
        else:
            session = Session.objects.get(session_id=row["session_id"])
            assert (session.user_id, session.title, session.context) == (
                row["user_id"], row["title"], json.loads(row["context"]),
            )  # fmt: skip
            assert session.external_ids.get("ragflow_session_id") == row["ragflow_session_id"]


@with_real_stores
def test_every_text_of_the_plain_dump_comes_back_byte_for_byte(bring_in):
    cases = json.loads((REAL / "dirty/mysql_chat/manifest.json").read_text(encoding="utf-8"))["cases"]
    plain = next(case for case in cases if case["case"] == "plain")
    report = bring_in(REAL / "dirty/mysql_chat/plain.sql")
    assert (report.kinds["session"].new, report.kinds["message"].new) == (10, 41)
    assert report.kinds["placeholder_session"].new == plain["orphans"]
    hashes = {}
    for message in Message.objects.filter(record_id__startswith="tricky-"):
        kept = (message.metadata or {}).get("as_found", {}).get("content_hex")
        data = bytes.fromhex(kept) if kept else message.content.encode()
        hashes[message.record_id] = hashlib.sha256(data).hexdigest()
    assert hashes == {told["id"]: told["sha256"] for told in plain["tricky"]}


@with_real_stores
@pytest.mark.parametrize("name", ["no_extended", "hex_blob_no_tz", "data_only_replace", "hostile", "crlf_bom"])
def test_every_style_of_dump_holds_the_same_rows(bring_in, name):
    first = bring_in(REAL / f"dirty/mysql_chat/{name}.sql")
    assert (first.kinds["session"].new, first.kinds["message"].new, first.kinds["message"].rejected) == (10, 40, 0)
    # The plain dump has one message more; all others are the same to the letter.
    plain = bring_in(REAL / "dirty/mysql_chat/plain.sql")
    assert new(plain) == {"message": 1}
    assert plain.kinds["message"].same == 40
    statements = ImportFinding.objects.filter(run=first.run_id, code="statement").count()
    assert statements == (6 if name == "hostile" else 0)
    assert ("time_zone" in told(first)) == (name == "hex_blob_no_tz")


@with_real_stores
def test_the_whole_folder_of_dirty_dumps_comes_in_and_twice_changes_nothing(bring_in):
    root = REAL / "dirty/mysql_chat"
    first, second = bring_in(root), bring_in(root)
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})
    assert told(first, path="cut.sql", level="rejected") == {"incomplete_dump"}
    assert told(first, path="mojibake.sql") >= {"mojibake", "characters_lost", "maybe_cut", "timestamp", "no_time"}
    broken = Message.objects.get(record_id="mj1")
    assert (broken.content, broken.metadata["flags"]) == ("你好，世界".encode().decode("latin-1"), ["mojibake"])
    assert Message.objects.get(record_id="mj3").timestamp.year == 1970
    assert not (Path.cwd() / "pwned-by-sql").exists()
