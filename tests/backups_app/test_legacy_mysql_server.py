"""The chat tables of a living server give what a dump of them gives; it is only read, in bounded steps."""

import socketserver
import threading
from datetime import UTC, timedelta, timezone

import pytest

from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.locations import URL, location_of
from backups_app.legacy.mysql_chat import server as of_server
from backups_app.legacy.types import LegacyRecord, LegacySession, Level, Limits, Reading
from tests.backups_app.chat_servers import chat_server, dumped, needs_mariadb, run

SESSIONS = (
    "CREATE TABLE chat_sessions (session_id varchar(255) PRIMARY KEY, user_id varchar(255), title varchar(500), "
    "created_at timestamp NULL, updated_at timestamp NULL, context JSON, ragflow_session_id varchar(255))"
)
MESSAGES = (
    "CREATE TABLE chat_messages (id varchar(255) {key}, session_id varchar(255), role varchar(50), content longtext, "
    "timestamp {time} NULL) {more}"
)
S1 = "('s1', 'u1', 'Refund', '2026-10-01 08:00:00', NULL, '{\"a\": 1}', 'rag-1')"


class Read:
    """Everything that a path or URL yields, and what it reports."""

    def __init__(self, location, zone=UTC, **limits):
        self.findings = []
        reading = Reading(self.findings.append, zone, Limits(**limits))
        self.items = list(FORMATS["mysql_chat"].open(location, reading).items())
        self.sessions = [item for item in self.items if isinstance(item, LegacySession)]
        self.messages = {item.record_id: item for item in self.items if isinstance(item, LegacyRecord)}

    def plain(self):
        return [
            {name: getattr(item, name) for name in item.__struct_fields__ if name != "place"} for item in self.items
        ]

    def told(self):
        return [(finding.level.value, finding.code) for finding in self.findings]


@pytest.fixture(scope="module")
def living():
    with chat_server() as server:
        yield server


@pytest.fixture
def store(living, request):
    """A new database on the server, to be filled statement by statement."""
    name = f"chat_{abs(hash(request.node.name))}"
    url = URL(living.url.replace("/mysql", f"/{name}"))
    run(living.url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield lambda *statements: run(url.text, *statements) or url
    run(living.url, f"DROP DATABASE {name}")


def messages(key="PRIMARY KEY", time="timestamp", more=""):
    return MESSAGES.format(key=key, time=time, more=more)


def say(*rows):
    statement = "INSERT INTO chat_messages VALUES " + ", ".join(["(%s, %s, %s, %s, %s)"] * len(rows))
    return statement, tuple(value for row in rows for value in row)


NASTY = (
    ("a", "s1", "user", 'it\'s; -- \\ "q"\x1a', "2026-10-01 08:00:01"),
    ("AB ", "s1", "assistant", "NUL\0 and 😀", "2026-10-01 08:00:01"),
    ("é", "nobody", "ai", None, "0000-00-00 00:00:00"),
    ("z%s`", None, None, "", None),
    ("订单", "s1", "tool", "????", "2026-10-01 08:00:00"),
)


@needs_mariadb
@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_bin", "utf8mb4_unicode_520_nopad_ci"])
@pytest.mark.parametrize("at_once", [1, 2, 500])
def test_a_server_gives_what_its_dump_gives(tmp_path, store, monkeypatch, collation, at_once):
    monkeypatch.setattr(of_server, "ROWS_AT_ONCE", at_once)
    key = f"COLLATE {collation} PRIMARY KEY"
    url = store(SESSIONS, f"INSERT INTO chat_sessions VALUES {S1}", messages(key=key), say(*NASTY))
    from_server, from_dump = Read(url), Read(dumped(url, tmp_path))
    assert from_server.plain() == from_dump.plain()
    assert len(from_server.messages) == len(NASTY)
    assert sorted(from_server.told()) == sorted(from_dump.told())
    assert {str(finding.place.path) for finding in from_server.findings} == {url.shown}


@needs_mariadb
@pytest.mark.parametrize("at_once", [1, 3])
def test_rows_without_a_key_of_their_own_all_come(store, monkeypatch, at_once):
    monkeypatch.setattr(of_server, "ROWS_AT_ONCE", at_once)
    rows = [(key, "s1", "user", f"{number}", "2026-10-01 08:00:00") for number, key in enumerate([None, "a", "A"] * 3)]
    url = store(messages(key=""), say(*rows))
    contents = sorted(item.fields["content"] for item in Read(url).items)
    assert contents == [f"{number}" for number in range(9)]


@needs_mariadb
def test_numbers_are_keys_too_and_other_columns_are_kept(store, monkeypatch):
    monkeypatch.setattr(of_server, "ROWS_AT_ONCE", 2)
    url = store(
        "CREATE TABLE chat_messages (id bigint PRIMARY KEY, session_id varchar(9), role varchar(9), content text, "
        "`100%s` int)",
        "INSERT INTO chat_messages SELECT seq + 9007199254740992, 's1', 'user', 'x', 7 FROM seq_1_to_9",
    )
    found = Read(url)
    assert sorted(found.messages) == [str(9007199254740992 + number) for number in range(1, 10)]
    assert {message.fields["metadata"]["100%s"] for message in found.messages.values()} == {"7"}
    assert found.told()[:2] == [("note", "table_missing"), ("note", "column_missing")]


@needs_mariadb
def test_a_text_that_was_spoilt_by_character_sets_is_flagged(store):
    broken = "你好，世界".encode().decode("latin-1")
    url = store(messages(more="CHARACTER SET latin1"), say(("m1", "s1", "user", "é", None)), "SET NAMES latin1",
                say(("m2", "s1", "user", "????", None)), ("INSERT INTO chat_messages (id, content) VALUES ('m3', %s)",
                ("你好，世界".encode(),)))  # fmt: skip
    found = Read(url).messages
    assert found["m1"].fields["content"] == "é"
    assert found["m2"].fields["metadata"]["flags"] == ["characters_lost"]
    assert (found["m3"].fields["content"].encode("cp1252", "replace")[:2], found["m3"].fields["metadata"]["flags"]) == (
        broken.encode("latin-1")[:2], ["mojibake"],
    )  # fmt: skip


@needs_mariadb
def test_a_datetime_is_of_the_stated_zone_in_server_and_dump(tmp_path, store):
    row = ("m1", "s1", "user", "x", "2026-10-01 08:00:00")
    url = store(messages(time="datetime"), say(row))
    for location in (url, dumped(url, tmp_path)):
        found = Read(location, zone=timezone(timedelta(hours=8)))
        assert found.messages["m1"].timestamp.hour == 0
        assert ("note", "time_zone") in found.told()


@needs_mariadb
def test_a_value_beyond_the_bound_stays_on_the_server(store):
    rows = [("m1", "s1", "user", "x" * 5000, None), ("m2", "s1", "user", "x", None)]
    found = Read(store(messages(), say(*rows)), document_bytes=1000)
    assert list(found.messages) == ["m2"]
    (told,) = [finding for finding in found.findings if finding.code == "too_large"]
    assert (told.level, told.place.key, told.kind) == (Level.REJECTED, "m1", "message")


@needs_mariadb
def test_a_server_that_takes_too_long_is_told_with_what_helps(store):
    url = store("CREATE VIEW chat_messages AS SELECT seq AS id, SLEEP(1) AS content FROM seq_1_to_100")
    found = Read(url, query_seconds=0.5)
    assert not found.items
    (told,) = [finding for finding in found.findings if finding.level == Level.REJECTED]
    assert "QUERY_TIMEOUT is 0.5 seconds" in told.detail


@needs_mariadb
def test_the_tables_are_read_and_nothing_can_be_written(store):
    url = store(
        "CREATE TABLE seen (at int)",
        "CREATE FUNCTION see() RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO seen VALUES (1); RETURN 1; END",
        "CREATE VIEW chat_messages AS SELECT see() AS id, 'x' AS content",
    )
    found = Read(url)
    assert not found.items
    assert "READ ONLY" in repr(found.findings)


@needs_mariadb
def test_no_password_is_ever_shown(living, store):
    url = store(
        f"GRANT ALL ON *.* TO reader@'%' IDENTIFIED BY '{WORD}'", SESSIONS, f"INSERT INTO chat_sessions VALUES {S1}"
    )
    place = url.text.partition("@")[2]
    right = location_of(f"mysql://reader@{place}").with_password(WORD)
    wrong = location_of(f"mariadb://reader:wrong-word@{place}")
    found, refused = Read(right), Read(wrong)
    assert [session.session_id for session in found.sessions] == ["s1"]
    assert refused.told() == [("rejected", "server")]
    told = repr((found.items, refused.findings, right, wrong, str(right)))
    assert not any(word in told for word in (WORD, "geheim", "wrong-word"))
    assert (detect(right), detect(wrong), right.shown) == ("mysql_chat", "mysql_chat", f"mysql://{place}")


WORD = "geheim/@:密?"


@pytest.mark.parametrize(("text", "shown"), [
    ("mysql://u:p@ss/word@host:3306/db?x=1", "mysql://host:3306/db"), ("redis://:pw@host/0", "redis://host/0"),
    ("mysql://host/db", "mysql://host/db"), ("mysql://u:p?w@host/db", "mysql://host/db"),
])  # fmt: skip
def test_a_url_is_shown_without_whoever_stands_in_it(text, shown):
    assert (URL(text).shown, str(URL(text)), repr(URL(text))) == (shown, shown, f"URL({shown!r})")


@pytest.mark.parametrize("text", ["mysql://root@127.0.0.1:1/x", "mysql://root@127.0.0.1", "mysql://h:port/x",
                                  "mysql://[::1/x"])  # fmt: skip
def test_where_no_server_answers_that_is_the_one_finding(text):
    found = Read(URL(text), connect_seconds=2)
    assert (found.items, found.told()) == ([], [("rejected", "server")])


class Thief(socketserver.StreamRequestHandler):
    """A server that lets everybody in, and answers each statement by asking for a file of the client's."""

    def handle(self):
        greeting = b"\x0a5.5.5-10.11.0-MariaDB\x00\x01\x00\x00\x00" + b"a" * 8 + b"\x00\xff\xf7\x2d\x02\x00\xff\x81\x15"
        self.packet(0, greeting + b"\x00" * 10 + b"b" * 12 + b"\x00mysql_native_password\x00")
        self.read_packet()
        self.packet(2, b"\x00\x00\x00\x02\x00\x00\x00")
        while statement := self.read_packet():
            if b"SET NAMES" in statement:
                self.packet(1, b"\x00\x00\x00\x02\x00\x00\x00")
            else:
                self.packet(1, b"\xfb/etc/hostname")
                self.server.sent.append(self.read_packet())

    def packet(self, number, content):
        self.wfile.write(len(content).to_bytes(3, "little") + bytes([number]) + content)

    def read_packet(self):
        head = self.rfile.read(4)
        return self.rfile.read(int.from_bytes(head[:3], "little")) if head else b""


def test_a_server_that_asks_for_a_file_of_ours_gets_none():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Thief) as server:
        server.sent = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        found = Read(URL(f"mysql://root@127.0.0.1:{server.server_address[1]}/x"), query_seconds=0.1)
        server.shutdown()
        thread.join()
    assert (found.items, found.told()) == ([], [("rejected", "server")])
    # It was asked, and answered with its goodbye (COM_QUIT).
    assert server.sent == [b"\x01"]
