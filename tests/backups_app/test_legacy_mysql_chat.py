"""A dump of the chat tables is parsed and never run; its texts come back byte for byte, and its faults are told."""

import gzip
from datetime import UTC, datetime, timedelta, timezone

import pytest

from backups_app.legacy.files import CHUNK
from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import LegacyConfig, LegacyRecord, LegacySession, Level, Limits, Reading

HEAD = "-- MySQL dump 10.13\n/*!40103 SET TIME_ZONE='+00:00' */;\n"
SESSIONS = "INSERT INTO `chat_sessions` VALUES\n"
MESSAGES = "INSERT INTO `chat_messages` VALUES\n"
S1 = "('s1','u1','Refund','2026-10-01 08:00:00','2026-10-01 09:00:00','{\\\"a\\\": 1}','rag-1')"
END = "-- Dump completed\n"


def row(number, content="'hello'", session="'s1'", role="'user'", time="'2026-10-01 08:00:01'"):
    return f"('m{number}',{session},{role},{content},{time})"


def dump(*messages, sessions=(S1,), head=HEAD, end=END):
    told = f"{SESSIONS}{', '.join(sessions)};\n" if sessions else ""
    return f"{head}{told}{MESSAGES}{','.join(messages)};\n{end}"


class Read:
    """Everything that a folder with one dump yields, and what it reports."""

    def __init__(self, root, text=None, zone=UTC, **limits):
        root.mkdir(exist_ok=True)
        if text is not None:
            (root / "chat.sql").write_bytes(text.encode() if isinstance(text, str) else text)
        self.findings = []
        reading = Reading(self.findings.append, zone, Limits(**limits))
        self.items = list(FORMATS["mysql_chat"].open(root, reading).items())
        self.sessions = {item.session_id: item for item in self.items if isinstance(item, LegacySession)}
        self.messages = [item for item in self.items if isinstance(item, LegacyRecord)]

    def contents(self):
        return [message.fields["content"] for message in self.messages]

    def told(self, *levels):
        return [(f.code, f.place.line) for f in self.findings if not levels or f.level in levels]


def test_sessions_and_messages_come_with_their_places(tmp_path):
    found = Read(tmp_path, dump(row(1), row(2, role="'assistant'")))
    assert (detect(tmp_path), found.findings) == ("mysql_chat", [])
    session = found.sessions["s1"]
    assert (session.user_id, session.title, session.created_at) == (
        "u1", "Refund", datetime(2026, 10, 1, 8, tzinfo=UTC),
    )  # fmt: skip
    assert session.documents == {"external_ids": {"ragflow_session_id": "rag-1"}, "context": {"a": 1}}
    assert [(m.record_id, m.fields["role"], str(m.place)) for m in found.messages] == [
        ("m1", "user", "chat.sql:6"), ("m2", "assistant", "chat.sql:6"),
    ]  # fmt: skip


def test_a_dump_can_be_named_itself(tmp_path):
    Read(tmp_path, dump(row(1)))
    assert detect(tmp_path / "chat.sql") == "mysql_chat"


@pytest.mark.parametrize(("literal", "text"), [
    (r"'it\'s; -- no /* remark */ ''x'''", "it's; -- no /* remark */ 'x'"),
    (r"'back\\slash \"q\" `b`'", 'back\\slash "q" `b`'),
    (r"'tab	cr\rlf\nz\Z'", "tab\tcr\rlf\nz\x1a"), ("'),('", "),("), ("''", ""), ("NULL", None), ("12.5", "12.5"),
    (r"'100\% a\_b'", r"100\% a\_b"), ("0x68C3A9", "hé"), ("X'68C3A9'", "hé"), ("_binary 'raw'", "raw"),
    ("_utf8mb4 0x68", "h"), ('"double ""q"" \\"x\\""', 'double "q" "x"'), ("'😀 好'", "😀 好"),
    (r"'INSERT INTO chat_messages VALUES (\'x\');'", "INSERT INTO chat_messages VALUES ('x');"),
])  # fmt: skip
def test_a_text_comes_back_as_it_was(tmp_path, literal, text):
    assert Read(tmp_path, dump(row(1, literal), row(2))).contents() == [text, "hello"]


@pytest.mark.parametrize("data", [b"a\\0b", b"\xff\xfe"])
def test_what_no_database_can_keep_is_kept_in_hexadecimal(tmp_path, data):
    text = dump(row(1, "'#'")).encode().replace(b"#", data)
    (message,) = Read(tmp_path, text).messages
    assert "\ufffd" in message.fields["content"]
    assert bytes.fromhex(message.fields["metadata"]["as_found"]["content_hex"]) == data.replace(b"\\0", b"\x00")


@pytest.mark.parametrize("length", [CHUNK - 40, CHUNK, 3 * CHUNK])
def test_a_text_across_the_pieces_that_are_read_is_whole(tmp_path, length):
    long = "é'" * (length // 3)
    quoted = long.replace("'", "''")
    assert Read(tmp_path, dump(row(1, f"'{quoted}'"), row(2))).contents() == [long, "hello"]


def test_every_style_of_dump_gives_the_same_rows(tmp_path):
    plain = Read(tmp_path, dump(row(1), row(2)))
    named = "REPLACE INTO `db`.`chat_messages` (`content`,`id`,`session_id`,`role`,`timestamp`) VALUES "
    values = "('hello','m{}','s1','user','2026-10-01 08:00:01')"
    styles = [
        HEAD + SESSIONS + S1 + ";\n" + "".join(f"{named}{values.format(n)};\n" for n in (1, 2)) + END,
        "\ufeff" + dump(row(1), row(2)).replace("\n", "\r\n"),
        "CREATE TABLE `chat_messages` (`content` text, `id` varchar(9) DEFAULT ')', `session_id` text CHECK (f(`x`)),"
        " `role` text, `timestamp` timestamp, PRIMARY KEY (`id`));\n" + dump(end=END).partition(MESSAGES)[0] + MESSAGES
        + f"{values.format(1)},{values.format(2)};\n" + END,
        dump(row(1), row(2)).replace("INSERT INTO", "insert ignore into").replace("VALUES", "values"),
        'CREATE TABLE "chat_messages" ("id" text, "session_id" text, "role" text, "content" text, "timestamp" text);\n'
        + dump(row(1), row(2)).replace("`", '"'),
    ]  # fmt: skip
    for style in styles:
        found = Read(tmp_path, style)
        assert [(m.record_id, m.timestamp, m.fields) for m in found.messages] == [
            (m.record_id, m.timestamp, m.fields) for m in plain.messages
        ]
        assert found.sessions.keys() == plain.sessions.keys()


def test_a_packed_dump_is_read_as_it_is_unpacked(tmp_path):
    plain = Read(tmp_path / "plain", dump(row(1), row(2)))
    packed = tmp_path / "packed/chat.sql.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(dump(row(1), row(2)).encode()))
    found = Read(packed.parent)
    assert (detect(packed), detect(packed.parent), found.contents()) == ("mysql_chat", "mysql_chat", plain.contents())
    packed.write_bytes(packed.read_bytes()[:-12])
    assert ("unreadable", None) in Read(packed.parent).told(Level.REJECTED)


@pytest.mark.parametrize("head", ['<?xml version="1.0"?>\n', ""])
def test_a_dump_in_xml_is_refused_with_what_would_help(tmp_path, head):
    found = Read(tmp_path, f'{head}<mysqldump><table_data name="chat_messages"/></mysqldump>')
    (finding,) = [finding for finding in found.findings if finding.level == Level.REJECTED]
    assert (found.items, finding.code) == ([], "unreadable")
    assert "without --xml" in finding.detail


def test_messages_come_by_time_and_then_as_they_stand(tmp_path):
    late = "'2026-10-01 08:30:00'"
    found = Read(tmp_path, dump(row(9, time=late), row(3), row(1), row(2, time=late)))
    assert [message.record_id for message in found.messages] == ["m3", "m1", "m9", "m2"]


@pytest.mark.parametrize(("head", "hour"), [
    ("/*!40103 SET TIME_ZONE='+08:00' */;\n", 0), ("SET time_zone = 'Asia/Shanghai';\n", 0), ("", 11),
    ("SET TIME_ZONE='SYSTEM';\n", 11),
])  # fmt: skip
def test_times_are_of_the_zone_that_the_dump_names_or_else_of_the_stated_one(tmp_path, head, hour):
    found = Read(tmp_path, dump(row(1), head=head, end=""), zone=timezone(timedelta(hours=-3)))
    assert found.messages[0].timestamp.hour == hour
    assert [code for code, _line in found.told()] == ([] if hour == 0 else ["time_zone"])


def test_a_table_that_is_made_without_columns_is_no_fault(tmp_path):
    found = Read(tmp_path, dump(row(1), head="CREATE TABLE `x`;\nCREATE TABLE;\n"))
    assert [message.record_id for message in found.messages] == ["m1"]


def test_what_is_no_row_of_the_chat_is_told_and_never_run(tmp_path):
    hostile = (
        "DROP DATABASE mysql;\nGRANT ALL ON *.* TO 'x'@'%' IDENTIFIED BY 'secret-word';\n"
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE chat_messages;\nSELECT 'x' INTO OUTFILE '/tmp/pwned';\n"
        "\\! touch pwned-by-sql\nDELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON c FOR EACH ROW BEGIN END;;\n"
        "DELIMITER ;\n/*!50003 CREATE FUNCTION f() RETURNS INT RETURN 1 */;\nINSERT INTO users VALUES (1,'x');\n"
        "INSERT INTO chat_messages SELECT * FROM other;\nsource evil.sql\n"
    )
    found = Read(tmp_path, dump(row(1)) + hostile + dump(row(2)))
    assert [message.record_id for message in found.messages] == ["m1", "m2"]
    assert [code for code, _line in found.told(Level.SKIPPED)] == ["statement"] * 7 + ["unknown_table"] + [
        "statement"
    ] * 2
    assert "secret-word" not in repr(found.findings)


@pytest.mark.parametrize("end", ["('m2','s1','us", "('m2','s1'", "/* a remark", "('m2', `na", ""])
def test_a_dump_that_is_cut_is_told_and_its_good_rows_come(tmp_path, end):
    text = dump(row(1), row(3), end="").removesuffix(";\n") + (f",\n{end}" if end else ";\n")
    found = Read(tmp_path, text)
    assert [code for code, _line in found.told()] == ["incomplete_dump"]
    assert [message.record_id for message in found.messages] == ["m1", "m3"]


def test_a_bad_row_is_told_with_its_line_and_the_others_come(tmp_path):
    found = Read(tmp_path, dump(row(1), "\n('m2','s1')", "\n" + row(3, "NOW()"), "\n" + row(4)))
    assert [message.record_id for message in found.messages] == ["m1", "m4"]
    assert found.told() == [("bad_row", 7), ("bad_row", 8)]


def test_a_value_beyond_the_bound_ends_the_reading_of_its_dump(tmp_path):
    found = Read(tmp_path, dump(row(1), row(2, f"'{'x' * 3 * CHUNK}'")), document_bytes=CHUNK)
    assert [code for code, _line in found.told()] == ["unreadable"]
    assert found.contents() == ["hello"]


def test_odd_rows_are_kept_and_told(tmp_path):
    odd = [
        row(1, session="'nobody'"), row(2, session="NULL"), row(3, role="NULL"), row(4, role="'ai'"),
        row(5, role="'ASSISTANT'"), row(6, time="'0000-00-00 00:00:00'"), row(7, time="NULL"),
    ]  # fmt: skip
    sessions = (S1, "('s2',NULL,NULL,NULL,NULL,'[1]',NULL)", "(NULL,NULL,NULL,NULL,NULL,NULL,NULL)")
    found = Read(tmp_path, dump(*odd, sessions=sessions))
    assert {m.record_id: (m.session_id, m.fields["role"]) for m in found.messages} == {
        "m1": ("nobody", "user"), "m2": ("orphans", "user"), "m3": ("s1", "system"), "m4": ("s1", "assistant"),
        "m5": ("s1", "assistant"), "m6": ("s1", "user"), "m7": ("s1", "user"),
    }  # fmt: skip
    timeless = [m for m in found.messages if m.record_id in ("m6", "m7")]
    assert {m.timestamp for m in timeless} == {found.sessions["s1"].created_at}
    assert timeless[0].fields["metadata"]["timestamp_as_found"] == "0000-00-00 00:00:00"
    assert found.sessions["s2"].metadata["as_found"] == {"context": [1]}
    assert found.sessions["s2"].created_at.year == 1970
    assert [code for code, _line in found.told(Level.REJECTED)] == ["bad_session_id"]


@pytest.mark.parametrize(("text", "flag"), [
    ("你好，世界".encode().decode("latin-1"), "mojibake"), ("é€".encode().decode("cp1252"), "mojibake"),
    ("????", "characters_lost"), ("长" * 21_844, "maybe_cut"),
])  # fmt: skip
def test_a_text_that_looks_damaged_is_kept_and_flagged(tmp_path, text, flag):
    (message,) = Read(tmp_path, dump(row(1, f"'{text}'"))).messages
    assert (message.fields["content"], message.fields["metadata"]["flags"]) == (text, [flag])


def test_an_ordinary_text_is_not_flagged(tmp_path):
    (message,) = Read(tmp_path, dump(row(1, "'Café, naïve, 你好, ¿qué?'"))).messages
    assert message.fields["metadata"] == {}


def test_a_secret_in_a_context_is_taken_out_to_be_sealed(tmp_path):
    session = S1.replace('{\\"a\\": 1}', '{\\"api_key\\": \\"sk-FAKE0123456789abcdef\\"}')
    found = Read(tmp_path, dump(row(1), sessions=(session,)))
    (config,) = [item for item in found.items if isinstance(item, LegacyConfig)]
    assert config.secrets == {"/context/api_key": "sk-FAKE0123456789abcdef"}
    assert "FAKE" not in repr(found.sessions) + repr(found.findings)
