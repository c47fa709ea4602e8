"""The key-value store of document 001 comes out the same from files, dumps, backups and a living server."""

import gzip
import io
import json
import shutil
import tracemalloc
from collections import Counter
from contextlib import closing
from functools import partial

import pytest
import redis

from backups_app.legacy.blueplan.old_backups import Unpacked
from backups_app.legacy.files import Unreadable
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.locations import URL
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Level, Limits, Reading
from tests.private_servers import redis_is_installed, redis_server
from tests.samples.blueplan import (
    KEYS,
    SESSION,
    backup_of,
    packed,
    said,
    used,
    write_backup,
    write_files,
    write_lines,
)

needs_redis = pytest.mark.skipif(not redis_is_installed(), reason="no redis-server on this machine")


class Read:
    """Everything that a store yields, and what it reports."""

    def __init__(self, location, **limits):
        self.findings = []
        reading = Reading(self.findings.append, limits=Limits(**limits))
        self.items = list(FORMATS["blueplan"].open(location, reading).items())
        self.sessions = {item.session_id: item for item in self.items if isinstance(item, LegacySession)}
        self.records = [item for item in self.items if isinstance(item, LegacyRecord)]
        self.configs = {item.key: item for item in self.items if isinstance(item, LegacyConfig)}

    def kinds(self):
        return Counter(record.kind for record in self.records)

    def contents(self):
        return [record.fields["content"] for record in self.records if record.kind == "message"]

    def told(self, *levels):
        return [
            f.code for f in self.findings if f.level in (levels or (Level.REJECTED, Level.REPAIRED, Level.CONFLICT))
        ]

    def plain(self):
        """What came out, without where it lay."""
        return [(r.kind, r.session_id, r.record_id, r.timestamp, r.fields) for r in self.records]


@pytest.fixture
def files(tmp_path):
    write_files(tmp_path, KEYS)
    return Read(tmp_path)


def test_a_file_store_comes_out_whole(tmp_path, files):
    assert (detect(tmp_path), files.findings) == ("blueplan", [])
    session = files.sessions["s1"]
    assert (session.user_id, session.title, session.status) == ("u:1", "Refund", "active")
    assert session.documents == {"context": SESSION["data"]}
    assert session.updated_at.isoformat() == "2026-10-01T09:00:00+00:00"
    assert files.kinds() == {"message": 3, "tool_call": 1, "token_usage": 1}
    assert files.contents() == ["hello", "[42]", "hi"]
    assert [(r.fields["total_tokens"], r.fields["user_id"]) for r in files.records if r.kind == "token_usage"] == [
        (10, "u:1")
    ]


def test_an_answer_of_a_tool_is_a_message_and_a_call(files):
    (call,) = [record for record in files.records if record.kind == "tool_call"]
    assert (call.fields["tool_name"], call.fields["tool_input"], call.fields["tool_output"], call.fields["status"]) == (
        "find", {"q": 1}, "[42]", "success",
    )  # fmt: skip
    assert call.fields["metadata"]["success_assumed"] is True
    assert call.fields["metadata"]["message"] == files.records[1].record_id


def test_secrets_of_settings_are_taken_out(files):
    config = files.configs["blueplan.llm"]
    assert config.secrets == {"/openai/api_key": "sk-FAKE0123456789abcdef"}
    assert "FAKE" not in repr(files.items) + str(config.value)


def test_every_form_gives_the_same(tmp_path, files):
    write_lines(tmp_path / "lines", KEYS)
    write_backup(tmp_path / "backup", backup_of(packed(KEYS)))
    for root in (tmp_path / "lines", tmp_path / "lines/redis_dump.ndjson", tmp_path / "backup"):
        assert detect(root) == "blueplan"
        assert Read(root).plain() == files.plain()


def test_all_forms_together_multiply_nothing(tmp_path, files):
    write_lines(tmp_path, KEYS)
    write_backup(tmp_path, backup_of(packed(KEYS)))
    together = Read(tmp_path)
    assert together.plain() == files.plain()
    assert [(f.code, f.place.path) for f in together.findings] == [
        ("same_keys", "redis_dump.ndjson"), ("same_keys", "data/backups/b1.json"),
    ]  # fmt: skip


@needs_redis
def test_an_rdb_file_and_the_server_itself_give_the_same(tmp_path, files):
    with redis_server(tmp_path, "--requirepass", "pass word") as server:
        url = server.url.replace("redis://", "redis://:pass%20word@")
        with closing(redis.Redis.from_url(url)) as client:
            for key, value in KEYS.items():
                client.set(key, json.dumps(value))
            client.set("celery-task-meta-1", "{}")
            client.rpush("user_sessions:u9", "a")
            client.hset("session:h", mapping={"session_id": '"h"', "user_id": "u9", "created_at": "2026-10-01"})
            client.zadd("global_token_stats:z", {"m": 1.5})
            client.save()
            before = client.dbsize(), client.lastsave(), client.info("persistence")["rdb_changes_since_last_save"]
            living = Read(URL(url))
            after = client.dbsize(), client.lastsave(), client.info("persistence")["rdb_changes_since_last_save"]
            assert after == before
        wrong = Read(URL(server.url.replace("redis://", "redis://:wrong-word@")))
    assert [f.code for f in wrong.findings] == ["server"]
    shutil.copy(tmp_path / "dump.rdb", tmp_path / "copy.rdb")
    dumped = Read(tmp_path / "copy.rdb")
    for found in (living, dumped):
        assert found.plain() == files.plain()
        assert found.sessions["h"].user_id == "u9"
        assert found.told() == ["redis_type"] * 3 + ["user_sessions", "not_an_object"]
        assert found.told(Level.SKIPPED) == ["foreign_key"]
    told = repr(living.findings) + repr(living.items) + repr(wrong.findings)
    assert not any(word in told for word in ("pass word", "pass%20word", "wrong-word"))
    assert detect(URL(url)) == "blueplan"


@needs_redis
def test_a_value_beyond_the_bound_is_told_and_not_fetched(tmp_path):
    with redis_server(tmp_path) as server:
        with closing(redis.Redis.from_url(server.url)) as client:
            client.set("conversation:big", json.dumps([said(1, "x" * 5000)]))
            client.set("conversation:s1", json.dumps([said(1, "small")]))
        found = Read(URL(server.url), document_bytes=4000)
    assert (found.contents(), found.told()) == (["small"], ["too_large"])


def test_a_server_that_does_not_answer_is_told():
    found = Read(URL("redis://:secret-word@127.0.0.1:9/0"))
    assert (found.items, found.told()) == ([], ["server"])
    assert "secret-word" not in repr(found.findings)


def test_a_cut_conversation_keeps_the_order_of_its_list(tmp_path):
    listed = [{**said(number % 7, f"#{number}"), "message_id": min(number, 101)} for number in range(51, 151)]
    write_files(tmp_path, {"session:s1": SESSION, "conversation:s1": listed})
    found = Read(tmp_path)
    assert found.contents() == [message["content"] for message in listed]
    assert len({record.record_id for record in found.records}) == 100


def test_what_a_conversation_lost_by_the_cut_comes_from_a_backup(tmp_path):
    whole = [said(number, f"#{number}") for number in range(1, 6)]
    write_files(tmp_path, {"session:s1": SESSION, "conversation:s1": [*whole[2:], said(6, "#6")]})
    write_backup(tmp_path, backup_of(packed({"conversation:s1": whole})))
    assert Read(tmp_path).contents() == [f"#{number}" for number in range(1, 7)]


def test_like_messages_are_all_kept(tmp_path):
    write_files(tmp_path, {"session:s1": SESSION, "conversation:s1": [said(1, "again"), said(1, "again")]})
    assert len({record.record_id for record in Read(tmp_path).records}) == 2


def test_the_later_version_of_a_session_counts(tmp_path):
    later = {**SESSION, "last_activity": "2026-10-05T00:00:00", "status": "completed"}
    write_files(tmp_path, {"session:s1": SESSION})
    write_lines(tmp_path, {"session:s1": later})
    found = Read(tmp_path)
    assert found.sessions["s1"].status == "completed"
    assert [(f.code, f.place.path) for f in found.findings] == [("older_version", "data/session/s1.json")]


def test_what_an_expired_session_left_gets_a_marked_session(tmp_path):
    left = {"conversation:gone": [said(1, "hello")], "user_sessions:u7": ["gone"]}
    use = {"token_usage:u8:old:2026-10-01T08:00:09": used(session="old", user_id="u8")}
    write_files(tmp_path, {**left, **use})
    found = Read(tmp_path)
    assert {name: (s.user_id, s.metadata) for name, s in found.sessions.items()} == {
        "gone": ("u7", {"placeholder": True}), "old": ("u8", {"placeholder": True}),
    }  # fmt: skip
    assert found.told(Level.NOTE) == ["expired_session"] * 2


def test_whose_a_use_is_says_the_value_and_else_a_known_id_in_the_key(tmp_path):
    bare = {"tokens_used": 5, "model": "m"}
    write_files(tmp_path, {
        "session:s:1": {**SESSION, "session_id": "s:1"}, "token_usage:u:1:s:1:2026-10-01T08:00:01": bare,
        "token_usage:u:1:nobody:2026-10-01T08:00:01": bare,
        "token_usage:a:b:c": used(session="s:1", time="bad"),
    })  # fmt: skip
    found = Read(tmp_path)
    assert [(r.session_id, r.fields["user_id"], r.timestamp.second) for r in found.records] == [
        ("s:1", "u:1", 0), ("s:1", "u:1", 1),
    ]  # fmt: skip
    assert found.told(Level.REJECTED) == ["whose_is_it"]


@pytest.mark.parametrize(("tokens", "kept"), [(-7, None), (2**63, None), (1.5, None), ("12", 12), (None, None)])
def test_an_odd_count_of_tokens_stops_nothing(tmp_path, tokens, kept):
    write_files(tmp_path, {"session:s1": SESSION, "token_usage:u:s1:1": used(tokens)})
    (use,) = Read(tmp_path).records
    assert use.fields["total_tokens"] == kept


def test_a_sum_that_the_uses_do_not_add_up_to_is_told_and_not_taken(tmp_path):
    write_files(tmp_path, {**KEYS, "session_token_stats:s1": {"total_tokens": 500, "model_usage": {"m": 450}}})
    found = Read(tmp_path)
    assert (found.kinds()["token_usage"], found.told()) == (1, ["sums_differ"])


def test_values_that_are_not_as_documented_are_told_by_key(tmp_path):
    odd = {
        "session:plain": "just text", "session:null": "null", "session:cut": '{"session_id": "cu',
        "conversation:dict": {"0": {"content": "x"}}, "user_sessions:n": "1", "global_token_stats:d": "[]",
        "conversation:odd": [{"content": "no role"}, "bare text", None, {"role": "user", "content": None}],
    }  # fmt: skip
    write_files(tmp_path, odd)
    found = Read(tmp_path)
    assert {f.place.path for f in found.findings} == {f"data/{key.replace(':', '/')}.json" for key in odd}
    assert found.contents() == ["no role", "bare text", None]


def test_lists_of_users_that_cannot_be_right_are_told(tmp_path):
    write_files(tmp_path, {**KEYS, "user_sessions:u:1": ["s1", "s1", "gone"], "user_sessions:u2": ["s1"]})
    found = Read(tmp_path)
    assert found.sessions["s1"].user_id == "u:1"
    assert [(f.code, f.place.key) for f in found.findings] == [
        ("odd_id", None), ("user_sessions", "u2"), ("user_sessions", "u:1"),
    ]  # fmt: skip


GOOD = packed(KEYS)


@pytest.mark.parametrize(("told", "code"), [
    (backup_of(GOOD[:-400]), "bad_backup"), (backup_of(GOOD[:-8] + b"AAAA" + GOOD[-4:]), "bad_backup"),
    (backup_of(b"plain text"), "bad_backup"), (backup_of(GOOD, data="中文"), "bad_backup"),
    ({"backup_name": "b1", "data_size": 0}, "bad_backup"), ([1], "bad_backup"),
    (backup_of(gzip.compress(b"[1]")), "bad_backup"), (backup_of(GOOD + b"more"), "bad_backup"),
    (backup_of(gzip.compress(b'{"session:s1": {}, "session:s2": 1 2}')), "bad_backup"),
    (backup_of(gzip.compress(b'{"session:s1": {}, "session": {"s2": 1 2}}')), "bad_backup"),
    (backup_of(gzip.compress(b'{"session:s1": {}, 2: 3}')), "bad_backup"),
    (backup_of(gzip.compress(b'{"session:s1": {}} {}')), "bad_backup"),
    (backup_of(gzip.compress(b"[]")), "bad_backup"), (backup_of(gzip.compress(b"")), "bad_backup"),
])  # fmt: skip
def test_a_damaged_backup_yields_nothing_and_is_told(tmp_path, told, code):
    write_backup(tmp_path, told)
    found = Read(tmp_path)
    assert (found.items, found.told(Level.REJECTED)) == ([], [code])


@pytest.mark.parametrize(("told", "code"), [
    (backup_of(GOOD, data_size=1), "data_size"), (backup_of(GOOD, name="../../evil"), "backup_name"),
    (backup_of(packed({"session": {"s1": SESSION}, "conversation": {"s1": KEYS["conversation:s1"]}})), None),
    (backup_of(gzip.compress(json.dumps(KEYS).encode()[:50]) + gzip.compress(json.dumps(KEYS).encode()[50:])),
     "several_members"),
])  # fmt: skip
def test_an_odd_backup_is_read_all_the_same(tmp_path, told, code):
    write_backup(tmp_path, told)
    found = Read(tmp_path)
    assert found.contents() == ["hello", "[42]", "hi"]
    assert [f.code for f in found.findings] == ([code] if code else [])


def test_a_gzip_beside_the_backups_is_read(tmp_path, files):
    (tmp_path / "other/data/backups").mkdir(parents=True)
    (tmp_path / "other/data/backups/b.json.gz").write_bytes(GOOD)
    assert Read(tmp_path / "other").plain() == files.plain()


def test_a_gzip_bomb_ends_at_the_bound():
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as file:
        for _megabyte in range(40):
            file.write(bytes(1 << 20))
    unpacked = Unpacked(bomb.getvalue(), Limits())
    with pytest.raises(Unreadable, match="unpacks to more than"):
        list(iter(partial(unpacked.read, 1), b""))


def test_a_backup_of_many_keys_is_read_a_key_at_a_time(tmp_path):
    keys = {f"conversation:s{number:03}": [said(1, "x" * 10_000)] for number in range(600)}
    write_backup(tmp_path, backup_of(packed(keys)))
    reading = Reading([].append, limits=Limits(document_bytes=1_000_000))
    tracemalloc.start()
    with closing(FORMATS["blueplan"].open(tmp_path, reading).items()) as items:
        first = next(items)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        found = [first.session_id, *(item.session_id for item in items if isinstance(item, LegacySession))]
    assert found == [key.partition(":")[2] for key in keys]
    assert peak < len(json.dumps(keys))


def test_bad_lines_and_other_files_are_told(tmp_path):
    write_lines(tmp_path, KEYS)
    path = tmp_path / "redis_dump.ndjson"
    path.write_bytes(b'{"key": 1}\n\xff\n[]\n{"key": "config:a", "type": "string"\n' + path.read_bytes())
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    (tmp_path / "broken.rdb").write_bytes(b"REDIS0011\xfe\x00\x00\x05hello")
    found = Read(tmp_path)
    assert found.kinds()["message"] == 3
    assert [(f.code, f.place.line) for f in found.findings if f.level == Level.REJECTED] == [
        ("unreadable", None), ("not_an_entry", 1), ("not_utf8", 2), ("not_an_entry", 3), ("invalid_json", 4),
    ]  # fmt: skip
    assert found.told(Level.SKIPPED) == ["stray_file"]
