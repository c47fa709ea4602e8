"""The import of plain chats: once, whatever the form, and with every call of a tool."""

import gzip

from backups_app.models import ImportFinding
from history_app.models import Message, ToolCall
from sessions_app.models import Session, SessionState
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.reports import new
from tests.samples.plain_chats import CHAT, OPENAI, SHAREGPT, lines, write


def test_chats_come_in_once(tmp_path, bring_in):
    write(tmp_path / "a.json", [CHAT, OPENAI])
    write(tmp_path / "b/c.jsonl.gz", lines(SHAREGPT, CHAT))
    first, second = bring_in(tmp_path), bring_in(tmp_path)
    assert new(first) == {"session": 4, "message": 16, "tool_call": 3}
    assert (first.status, second.status, new(second)) == ("completed", "completed", {})
    assert not SessionState.objects.exists()
    asked = Message.objects.filter(session__session_id="chat-7").order_by("sequence")
    assert [message.role for message in asked] == ["system", "user", "assistant", "tool", "assistant"]
    assert asked[0].content == "Be short."
    rain = ToolCall.objects.get(session__session_id="chat-7", tool_name="rain")
    assert (rain.tool_input, rain.tool_output, rain.status) == ({"in": "Rome"}, "no", "success")


def test_a_chat_that_has_grown_brings_what_is_new(tmp_path, bring_in):
    bring_in(write(tmp_path / "a.json", CHAT))
    assert new(bring_in(write(tmp_path / "a.json", [*CHAT, {"role": "user", "content": "bye"}]))) == {"message": 1}
    assert Session.objects.get().metadata == {"origin": "a.json"}


@with_real_stores
def test_real_conversations_come_in_whole_and_once(tmp_path, bring_in):
    for path in (REAL / "originals/hiyouga__LLaMA-Factory").rglob("*.jsonl.gz"):
        write(tmp_path / path.name, gzip.decompress(path.read_bytes()))
    first, second = bring_in(tmp_path), bring_in(tmp_path)
    assert new(first) == {"session": 195, "message": 1249, "tool_call": 137}
    assert (second.status, new(second)) == ("completed", {})
    assert not ImportFinding.objects.exclude(level="note").exists()
