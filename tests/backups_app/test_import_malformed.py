"""Damaged stores of every format are brought in as far as they can be read: no crash, and the sums balance (D1)."""

import random

import pytest

from backups_app.models import ImportFinding
from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from tests.backups_app.test_import_resume import filled
from tests.backups_app.test_legacy_session_payloads import SHAPES, payload
from tests.factories import make_project
from tests.samples import agent_flow, blueplan, openai_agents, plain_chats
from tests.samples.history_store import back_up, session_row, write_database

pytestmark = pytest.mark.django_db
SEED = 20261129
DUMP = (
    "CREATE TABLE `chat_sessions` (`session_id` varchar(64), `user_id` varchar(64), `title` text);\n"
    "INSERT INTO `chat_sessions` VALUES ('s1','u1','It\\'s'),('s2','u2',NULL);\n"
    "CREATE TABLE `chat_messages` (`id` int, `session_id` varchar(64), `role` varchar(9), `content` text,"
    " `timestamp` datetime);\n"
    "INSERT INTO `chat_messages` VALUES (1,'s1','user','hi\\n','2026-10-01 08:00:00'),(2,'s2','ai','x','2026-10-01');\n"
)
# What upsets readers of text, of numbers, of JSON, of YAML and of SQL.
SPLINTERS = (
    b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\x1f\x8b\x08\x00", b"\n", b"\r\n",
    b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[" * 200, b"]", b"''", b"';", b"&a [*a]", b"!!python/x ",
    b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"null", b"true", b"2026-02-30T25:61:61Z",
)  # fmt: skip


def _history(root):
    filled(root)
    write_database(root / "data/sessions/metadata.db", {"sessions": [session_row("s1"), session_row("row-only")]})


def _payloads(root):
    for name, content in {**SHAPES, "other": payload("s2")}.items():
        plain_chats.write(root / f"{name}.json", content)


def _blueplan(root):
    blueplan.write_files(root, blueplan.KEYS)
    blueplan.write_lines(root, blueplan.KEYS)
    blueplan.write_backup(root, blueplan.backup_of(blueplan.packed(blueplan.KEYS)))


def _dump(root):
    root.mkdir(parents=True)
    (root / "chat.sql").write_text(DUMP)


def _tasks(root):
    rows = {
        "task_history": [agent_flow.task(1, steps=1), agent_flow.task(2, "s2")],
        "subtasks": [agent_flow.step(1, 1, 0)],
        "tool_logs": [agent_flow.log(1, 1)],
        "user_config": [agent_flow.user("u1")],
        "knowledge_sources": [agent_flow.source(1)],
        "system_config": [agent_flow.config("limit", "10")],
    }
    agent_flow.write_database(root / "agent_flow.db", rows)


def _chats(root):
    plain_chats.write(root / "one.json", plain_chats.CHAT)
    plain_chats.write(root / "several.json.gz", [plain_chats.OPENAI, plain_chats.SHAREGPT])
    chats = (plain_chats.OPENAI, plain_chats.SHAREGPT, {"messages": plain_chats.CHAT})
    plain_chats.write(root / "lines.jsonl", plain_chats.lines(*chats))


def _conversations(root):
    usage = (("s1", 1, 10, 5, 15, '{"cached_tokens": 4}'),)
    branches = ((1, "main"), (2, "other"))
    openai_agents.write_conversations(root / "one.db", usage=usage, branches=branches)
    openai_agents.write_conversations(root / "two.db", {"s2": openai_agents.ITEMS, "s3": ["{", 7, {}]}, named=("s2",))


def _backups(root):
    store = root.with_name(f"{root.name}-live")
    filled(store)
    write_database(store / "sessions/metadata.db", {"sessions": [session_row("s1"), session_row("row-only")]})
    for day in ("01", "02"):
        back_up(store, root, f"backup_202610{day}_030000", f"2026-10-{day}T03:00:00")


STORES = {
    "history_store": _history,
    "session_payloads": _payloads,
    "blueplan": _blueplan,
    "mysql_chat": _dump,
    "agent_flow": _tasks,
    "plain_chats": _chats,
    "openai_agents": _conversations,
    "history_backups": _backups,
}


def damaged(data, chance):
    """The bytes with one to four faults of chance."""
    for _fault in range(chance.randint(1, 4)):
        at, end = sorted(chance.randint(0, len(data)) for _ in range(2))
        data = _with_fault(data, at, min(end, at + 400), chance)
    return data


def _with_fault(data, at, end, chance):
    noise = bytes(chance.randrange(256) for _ in range(8))
    splinter = chance.choice(SPLINTERS)
    return chance.choice([
        data[:at], data[:at] + data[end:], data[:end] + data[at:], data[:at] + splinter + data[at:],
        data[:at] + splinter + data[end:], data[:at] + noise + data[at + 8 :],
    ])  # fmt: skip


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("rounds", [8, pytest.param(120, marks=pytest.mark.torture)])
def test_a_damaged_store_comes_in_as_far_as_it_can_be_read(name, rounds, tmp_path, now):
    chance, damages, found = random.Random(f"{SEED} {name}"), 0, 0
    for number in range(rounds):
        root = tmp_path / str(number)
        STORES[name](root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        for path in chance.sample(files, k=min(len(files), 2)):
            path.write_bytes(damaged(path.read_bytes(), chance))
            damages += 1
        project = make_project()
        caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
        given = {"path": root, "project_id": project.pk, "now": now, "caller": caller, "source_format": name}
        report = store_import(**given)
        assert (report.status, report.balances) == ("completed", True), f"round {number} of {name}"
        again = store_import(**given)
        assert {kind: told.new for kind, told in again.kinds.items() if told.new} == {}, f"round {number} of {name}"
        assert ImportFinding.objects.filter(run=report.run_id, level="rejected", path="").count() == 0
        found += report.findings_count
    assert damages >= rounds
    assert found, "no damage was ever found"
