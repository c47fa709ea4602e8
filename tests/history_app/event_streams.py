"""How tests read server-sent events, as a client would."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Event:
    """One event: its name, its id, and its data; a heartbeat has the name `heartbeat`."""

    name: str = ""
    id: str = ""
    data: Any = None

    @property
    def key(self) -> tuple[str, str]:
        """The type and id of the record."""
        return self.name, self.data["record_id"]


def parsed(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events of a stream's lines (without their ends) as soon as they are whole."""
    event = Event()
    for line in lines:
        name, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if event != Event():
                yield event
            event = Event()
        elif name == "":
            event.name = "heartbeat"
        elif name == "event":
            event.name = value
        elif name == "id":
            event.id = value
        elif name == "data":
            event.data = json.loads(value)
        else:
            assert (name, value) == ("retry", "2000")
