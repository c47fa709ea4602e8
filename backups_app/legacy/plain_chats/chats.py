"""Makes a session of a chat, with its messages and calls of tools, all under ids that its place of origin gives."""

import hashlib
from datetime import datetime
from typing import Any

from msgspec import Struct

from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.history_store.sessions import BadSession
from backups_app.legacy.plain_chats.shapes import TIMES, arranged, calls_in
from backups_app.legacy.session_payloads.happened import records_of
from backups_app.legacy.session_payloads.sessions import PayloadTaking, sealed
from backups_app.legacy.session_payloads.shapes import Payload
from backups_app.legacy.times import EPOCH, time_read
from backups_app.legacy.types import (
    Finding,
    LegacyConfig,
    LegacyRecord,
    LegacySession,
    Level,
    Place,
    Reading,
)

IDS = ("session_id", "conversation_id", "chat_id", "id")
NAMES: dict[str, tuple[str, ...]] = {"title": ("title", "name"), "user_id": ("user_id", "user")}
MOMENTS: dict[str, tuple[str, ...]] = {"created_at": TIMES, "updated_at": ("updated_at", "update_time", "updated")}
SYSTEM = "system"


class Chat(Struct):
    """One chat as it lies in a file. `origin` says where; `about` is what it says beside its messages."""

    messages: list[Any]
    about: dict[str, Any]
    place: Place
    origin: str
    size: int = 0
    repairs: tuple[str, ...] = ()


class Told(Struct):
    """What a chat becomes. `is_timeless` where it names no time at all."""

    session: LegacySession
    config: LegacyConfig | None
    records: list[LegacyRecord]
    is_timeless: bool


class ChatTaking:
    """Takes chats over, one after another. It remembers the ids that were given, for each may be given once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._given: set[bytes] = set()

    def told(self, chat: Chat) -> Told | None:
        """What the chat becomes; None, with a finding, where it cannot be a session."""
        messages = [arranged(message, self._reading) for message in self._with_system(chat)]
        times = [found for message in messages if (found := self._time(message)) is not None]
        given = {**self._about(chat), "session_id": self._session_id(chat)}
        of_messages = {"created_at": min(times), "updated_at": max(times)} if times else {}
        stands_in = {key: moment for key, moment in of_messages.items() if key not in given}
        given |= {key: moment.isoformat() for key, moment in stands_in.items()}
        document = {"metadata": given, "state": {"messages": messages, "tool_calls": calls_in(messages, self._reading)}}
        payload = Payload(document, chat.place, repairs=chat.repairs, size=chat.size)
        try:
            session = PayloadTaking(payload, self._reading).session_of(payload)
        except BadSession as error:
            self._reading.report(Finding(Level.REJECTED, error.code, chat.place, str(error), "session"))
            return None
        for key, moment in stands_in.items():
            # The same moment, with the mark of a zone that was assumed.
            setattr(session, key, moment)
        is_timeless = session.created_at is None
        if is_timeless:
            session.created_at = session.updated_at = EPOCH
        records = records_of(session, self._reading)
        # The chat is its messages; as a state they would be kept twice.
        session.state = None
        return Told(session, sealed(session), records, is_timeless)

    def _with_system(self, chat: Chat) -> list[Any]:
        """The messages, with what some exports say to the model apart from them."""
        text = chat.about.pop(SYSTEM, None) if type(chat.about.get(SYSTEM)) is str else None
        return [{"role": SYSTEM, "content": text}, *chat.messages] if text else chat.messages

    def _about(self, chat: Chat) -> dict[str, Any]:
        """What the chat says of itself, under the names of a session."""
        about = {**chat.about}
        for key, names in NAMES.items():
            name = next((name for name in names if type(about.get(name)) is str), None)
            if name is not None:
                about[key] = about.pop(name)
        for key, names in MOMENTS.items():
            name = next((name for name in names if time_read(about.get(name), self._reading.zone)), None)
            if name is not None:
                about[key] = about.pop(name)
        about.setdefault("origin", chat.origin)
        return about

    def _session_id(self, chat: Chat) -> str:
        """The id that the chat gives itself, if it is a text and the first of its kind; else one of its origin."""
        found = next((chat.about[name] for name in IDS if type(chat.about.get(name)) is str), "")
        if 0 < len(found) <= NAME_LENGTH:
            digest = hashlib.blake2b(found.encode(errors="surrogatepass"), digest_size=16).digest()
            if digest not in self._given:
                self._given.add(digest)
                return found
            detail = f"another chat has the id {found!r:.300} too; this one goes by its place"
            self._reading.report(Finding(Level.CONFLICT, "same_id_twice", chat.place, detail, "session"))
        return f"chat:{hashlib.sha256(chat.origin.encode()).hexdigest()[:32]}"

    def _time(self, message: Any) -> datetime | None:
        return time_read(message.get("timestamp"), self._reading.zone) if type(message) is dict else None
