"""Meeting what is there already: each chosen thing is looked for in the living store, and judged."""

# Every name that is put into a statement comes from a model; values are parameters.
# ruff: noqa: S608

import sqlite3
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

from django.db import models

from backups_app.archive.rows import time_canonical
from backups_app.services.backups.parts.belongings import NAMED, Named
from backups_app.services.backups.parts.choice import Choice, OnConflict
from backups_app.services.backups.parts.selecting import marks
from sessions_app.models import Project, Session

AT_ONCE = 500
Key = tuple[Any, ...]


class Outcome(StrEnum):
    """What becomes of one thing. One that is only needed and is there is LINKED: it stays as it is."""

    NEW = "new"
    SKIPPED = "skipped"
    REPLACED = "replaced"
    NEW_ID = "new-id"
    LINKED = "linked"


WRITTEN = (Outcome.NEW, Outcome.REPLACED, Outcome.NEW_ID)


def part_meet(raw: sqlite3.Connection, choice: Choice, *, number: int) -> None:
    """Say of every chosen thing what becomes of it; reads the store that `default` is, and writes only the marks.

    `number` goes into the ids of those that come under a new one.
    """
    for named in NAMED:
        if named.model is Session and choice.session_id:
            raw.execute(f"UPDATE {marks(Session)} SET called = ? WHERE asked IS NOT NULL", [choice.session_id])
        _twins_skip(raw, named)
        for rows in _pages(raw, named, choice, f"outcome = '' OR outcome = '{Outcome.SKIPPED}'"):
            there = _there(named, [key for _pk, _asked, key in rows])
            told = [_judged(named, choice, number, row, there.get(row[2])) for row in rows]
            raw.executemany(
                f"UPDATE {marks(named.model)} SET outcome = COALESCE(NULLIF(outcome, ''), ?), target = ?, "
                "called = COALESCE(?, called), version = ? WHERE pk = ?",
                told,
            )


def part_found_again(raw: sqlite3.Connection, named: Named, choice: Choice) -> None:
    """Mark the keys that things have which have just been written, and those of their twins."""
    written = ", ".join(f"'{outcome}'" for outcome in WRITTEN)
    for rows in _pages(raw, named, choice, f"target IS NULL OR outcome IN ({written})"):
        there = _there(named, [key for _pk, _asked, key in rows])
        found = [(there[key][0], pk) for pk, _asked, key in rows if key in there]
        raw.executemany(f"UPDATE {marks(named.model)} SET target = ? WHERE pk = ?", found)


def _twins_skip(raw: sqlite3.Connection, named: Named) -> None:
    """Let one of several things come that nothing tells apart."""
    columns = ", ".join(f"t.{column}" for column in (("project_id",) if named.has_project else ()) + named.key)
    table = named.model._meta.db_table
    raw.execute(
        f"UPDATE {marks(named.model)} SET outcome = '{Outcome.SKIPPED}' WHERE pk NOT IN (SELECT MIN(t.id) "
        f"FROM {table} t JOIN {marks(named.model)} p ON p.pk = t.id GROUP BY {columns})"
    )


def _pages(
    raw: sqlite3.Connection, named: Named, choice: Choice, condition: str
) -> Iterator[list[tuple[int, int | None, Key]]]:
    """Yield the marked things, some at a time: key here, place in the request, and what they are found again by."""
    times = [column for column in named.key if isinstance(named.model._meta.get_field(column), models.DateTimeField)]
    project = f"(SELECT target FROM {marks(Project)} WHERE pk = t.project_id)" if named.has_project else "0"
    columns = [f"COALESCE(p.called, t.{column})" if column == named.own_id else f"t.{column}" for column in named.key]
    statement = (
        f"SELECT p.pk, p.asked, {project}, {', '.join(columns)} FROM {marks(named.model)} p "
        f"JOIN {named.model._meta.db_table} t ON t.id = p.pk WHERE p.pk > ? AND ({condition}) "
        f"ORDER BY p.pk LIMIT {AT_ONCE}"
    )
    last = 0
    while rows := raw.execute(statement, [last]).fetchall():
        last = rows[-1][0]
        yield [(pk, asked, _key(named, key, times, choice)) for pk, asked, *key in rows]


def _key(named: Named, key: Sequence[Any], times: Sequence[str], choice: Choice) -> Key:
    project, *values = key
    if not named.has_project and choice.project:
        values = [choice.project]
    made = [time_canonical(value) if name in times else value for name, value in zip(named.key, values, strict=True)]
    return (project, *made)


def _there(named: Named, keys: Sequence[Key]) -> dict[Key, tuple[int, int | None]]:
    """Return the key and the version of those that the living store has."""
    rows = named.model._base_manager.filter(**{f"{named.key[0]}__in": {key[1] for key in keys}}).order_by("pk")
    if named.has_project:
        rows = rows.filter(project_id__in={key[0] for key in keys if key[0] is not None})
    columns = ("project_id" if named.has_project else "pk", *named.key)
    more = ("version",) if named.counts_versions else ()
    found: dict[Key, tuple[int, int | None]] = {}
    for pk, project, *values in rows.values_list("pk", *columns, *more):
        version = values.pop() if more else None
        found[(project if named.has_project else 0, *values)] = (pk, version)
    return found


def _judged(
    named: Named, choice: Choice, number: int, row: tuple[int, int | None, Key], there: tuple[int, int | None] | None
) -> tuple[Any, ...]:
    """Return outcome, key there, another id, its version there, and the key here."""
    pk, asked, key = row
    if there is None:
        return (Outcome.NEW, None, None, None, pk)
    if asked is None or named.model is Project:
        return (Outcome.LINKED, there[0], None, None, pk)
    if choice.on_conflict is OnConflict.REPLACE:
        return (Outcome.REPLACED, there[0], None, there[1], pk)
    if choice.on_conflict is OnConflict.NEW_ID and named.own_id:
        return (Outcome.NEW_ID, None, _another_id(named, key, number), None, pk)
    return (Outcome.SKIPPED, there[0], None, None, pk)


def _another_id(named: Named, key: Key, number: int) -> str:
    """Return an id that says what it was and which restore brought it."""
    suffix = f".restored-{number}"
    taken = str(key[1 + named.key.index(named.own_id)])
    return taken[: named.model._meta.get_field(named.own_id).max_length - len(suffix)] + suffix
