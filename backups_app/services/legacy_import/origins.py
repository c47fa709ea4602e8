"""Takes down where imported rows come from: a row a session, file and assumed zone, stored with the batch itself."""

from typing import Any

from backups_app.legacy.types import Place
from backups_app.models import ImportOrigin, ImportRun
from config.shared.bulk_rows import rows_insert

MOST_IN_ROW = 1000
_Records = dict[str, list[list[Any]]]
_Group = tuple[int | None, str, str]


class OriginLog:
    """The origins of one batch. Call `flush` when all that it speaks of is stored."""

    def __init__(self, run: ImportRun) -> None:
        self._run = run
        self._found: dict[_Group, _Records] = {}
        self._sizes: dict[_Group, int] = {}
        self._rows: list[ImportOrigin] = []

    def add(self, kind: str, key: str, place: Place | None, session: int | None, assumed: str) -> None:
        """Take one new row down: its kind, its public id, and the primary key of its session where it has one.

        `assumed` is the zone that its times were taken to be of, where they named none.
        """
        group = (session, place.path if place is not None else "", assumed)
        records = self._found.get(group)
        if records is None:
            records = self._found[group] = {}
            self._sizes[group] = 0
        records.setdefault(kind, []).append(_entry(key, place))
        self._sizes[group] += 1
        if self._sizes[group] >= MOST_IN_ROW:
            self._close(group)

    def flush(self) -> None:
        """Store what was taken down."""
        for group in list(self._found):
            self._close(group)
        rows, self._rows = self._rows, []
        rows_insert(rows)

    def _close(self, group: _Group) -> None:
        session, path, assumed = group
        records = self._found.pop(group)
        self._rows.append(
            ImportOrigin(run=self._run, session_id=session, path=path, assumed_timezone=assumed, records=records)  # type: ignore[misc]
        )


def _entry(key: str, place: Place | None) -> list[Any]:
    if place is None or (place.line is None and place.table is None):
        return [key]
    return [key, place.line] if place.table is None else [key, place.line, place.table, place.key]
