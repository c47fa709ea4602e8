"""The embedded broker: kombu's messages in files, with writes that are whole before anybody can see them.

Kombu's own transport shows a file while it is still being written: a reader that is fast enough finds nothing in it,
and the worker ends. Here each file gets its name when it is complete.
"""

import os
import uuid
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """Messages are files `<time>_<id>.<queue>.msg`; names that begin with a dot are nobody's yet, or taken."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{round(monotonic() * 1000):015}_{uuid.uuid4()}.{queue}.msg"
        _write_whole(Path(self.data_folder_out) / name, dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder, ending = Path(self.data_folder_in), f".{queue}.msg"
        # Fifty times a second: plain names cost less than paths.
        for name in sorted(os.listdir(folder)):  # noqa: PTH208
            if name.startswith(".") or not name.endswith(ending):
                continue
            taken = folder / f".{name}.{uuid.uuid4().hex}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                # Another worker was faster.
                continue
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            return loads(text)
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        table = [list(row) for row in self.get_table(exchange)]
        row = [routing_key or "", pattern or "", queue or ""]
        if row not in table:
            self.control_folder.mkdir(exist_ok=True)
            _write_whole(self._exchange_file(exchange), dumps([row, *table]))


class Transport(filesystem.Transport):
    """Kombu's filesystem transport with our channel."""

    Channel = Channel  # type: ignore[assignment,misc]


def _write_whole(path: Path, text: str) -> None:
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    hidden.write_bytes(str_to_bytes(text))
    hidden.replace(path)


def use_whole_files() -> None:
    """Put this transport in the place of kombu's, for URLs that begin with `filesystem:`."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
