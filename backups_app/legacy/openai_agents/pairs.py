"""Knows, outside of memory, which answer belongs to which call, and in which branches an item stands."""

from collections.abc import Iterator
from typing import Any

from backups_app.legacy.private_base import PrivateBase

_SCHEMA = """
CREATE TABLE call (session_id TEXT, call_id TEXT, number INTEGER, PRIMARY KEY (session_id, call_id)) WITHOUT ROWID;
CREATE TABLE answer (session_id TEXT, call_id TEXT, number INTEGER, PRIMARY KEY (session_id, call_id)) WITHOUT ROWID;
CREATE TABLE branch (item INTEGER, name TEXT, PRIMARY KEY (item, name)) WITHOUT ROWID;
"""
_JOINED = "SELECT call.number, answer.number FROM call JOIN answer USING (session_id, call_id)"


class Pairs(PrivateBase):
    """The calls and answers of one database by the numbers of their rows. Of several with one id the first count."""

    SCHEMA = _SCHEMA

    def add(self, session_id: str, call_id: str, number: int, *, is_answer: bool) -> None:
        """Take a call, or an answer to one, on."""
        table = "answer" if is_answer else "call"
        self._base.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", (session_id, call_id, number))  # noqa: S608 - a constant

    def add_branch(self, item: Any, name: str) -> None:
        """Note that an item stands in a branch of its conversation."""
        self._base.execute("INSERT OR IGNORE INTO branch VALUES (?, ?)", (item, name))

    def answer_of(self, session_id: str, call_id: str, number: int) -> int | None:
        """The answer to the call of this number."""
        return next((answer for call, answer in self._joined(session_id, call_id) if call == number), None)

    def is_joined(self, session_id: str, call_id: str, number: int) -> bool:
        """Whether the answer of this number comes in with its call."""
        return any(answer == number for _call, answer in self._joined(session_id, call_id))

    def _joined(self, session_id: str, call_id: str) -> Iterator[tuple[int, int]]:
        yield from self._base.execute(f"{_JOINED} WHERE session_id = ? AND call_id = ?", (session_id, call_id))

    def branches(self, item: int) -> list[str]:
        """The branches in which an item stands."""
        return [name for (name,) in self._base.execute("SELECT name FROM branch WHERE item = ? ORDER BY name", (item,))]
