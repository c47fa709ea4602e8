"""Choosing within a scratch store: which of its rows belong to the part that is asked for.

Beside the rows of each kind in MARKED stands a table of marks: which of them are chosen (`asked` is the place in the
request; empty where a chosen row only refers to it), what becomes of each, and its key in the living store.
"""

# Every name that is put into a statement comes from a model; values are parameters.
# ruff: noqa: S608

import sqlite3
from typing import Any

from backups_app.services.backups.parts.belongings import MARKED, NEEDED, OF_PROJECT, owned, tables_of_parts
from backups_app.services.backups.parts.choice import Asked, Choice, Kind
from backups_app.services.backups.tables import Model
from config.shared.errors import InvalidInput
from history_app.models import Task
from sessions_app.models import Project, Session, SessionDeletion, SystemConfig, UserConfig, Workflow, WorkflowRun

_SESSION, _PROJECT = Session._meta.db_table, Project._meta.db_table
_KEPT = f"id NOT IN (SELECT session_id FROM {SessionDeletion._meta.db_table})"
# In which project of the archive each thing of the request stands.
PLACES = "part_places"
# By kind: the tables in which to look, and the columns that hold the id.
_WHERE: dict[Kind, dict[Model, str]] = {
    Kind.SESSION: {Session: "session_id"},
    Kind.USER: {UserConfig: "user_id", Session: "user_id"},
    Kind.CONFIGS: {SystemConfig: "", Workflow: ""},
    Kind.PROJECT: dict.fromkeys(OF_PROJECT, ""),
}
_CALLED = {Kind.SESSION: "session", Kind.USER: "user", Kind.PROJECT: "project", Kind.CONFIGS: "configuration"}


def marks(model: Any) -> str:
    """Return the name of the table of marks of a kind."""
    return f"part_{model._meta.model_name}"


def part_select(raw: sqlite3.Connection, choice: Choice) -> None:
    """Mark what is asked for, what comes with it, and what that refers to.

    Raises InvalidInput, naming the place in the request, for what the archive does not hold, and for an id that stands
    in several of its projects.
    """
    for model in MARKED:
        raw.execute(
            f"CREATE TABLE {marks(model)} (pk INTEGER PRIMARY KEY, asked INTEGER, outcome TEXT NOT NULL DEFAULT '', "
            "target INTEGER, called TEXT, version INTEGER, fence INTEGER)"
        )
    raw.execute(f"CREATE TABLE {PLACES} (place INTEGER PRIMARY KEY, project INTEGER)")
    for place, asked in enumerate(choice.only):
        _mark(raw, place, asked, choice)
    _mark_with(raw, WorkflowRun, Session)
    _mark_with(raw, Task, Session)
    for model in reversed(tables_of_parts()):
        _mark_needed(raw, model)
    for model in MARKED:
        # By its new key a row is found again.
        raw.execute(f"CREATE INDEX {marks(model)}_target ON {marks(model)} (target)")
    if choice.project and raw.execute(f"SELECT COUNT(*) FROM {marks(Project)}").fetchone()[0] > 1:
        raise InvalidInput.at("/into/project", "What is asked for is of several projects, which are not put into one.")


def _mark(raw: sqlite3.Connection, place: int, asked: Asked, choice: Choice) -> None:
    project = _project_of(raw, asked, choice)
    raw.execute(f"INSERT INTO {PLACES} VALUES (?, ?)", [place, project])
    for model, column in _WHERE[asked.kind].items():
        condition, values = _condition(model, column, asked.name)
        raw.execute(
            f"INSERT OR IGNORE INTO {marks(model)} (pk, asked) "
            f"SELECT id, ? FROM {model._meta.db_table} WHERE project_id = ? AND {condition}",
            [place, project, *values],
        )
    if asked.kind is Kind.PROJECT:
        raw.execute(f"INSERT OR REPLACE INTO {marks(Project)} (pk, asked) VALUES (?, ?)", [project, place])


def _project_of(raw: sqlite3.Connection, asked: Asked, choice: Choice) -> int:
    """Return the one project of the archive in which it stands."""
    slug = asked.name if asked.kind is Kind.PROJECT else choice.from_project
    found = _projects_with(raw, asked) if asked.kind is not Kind.PROJECT else _projects(raw)
    there = {name: pk for pk, name in found if not slug or name == slug}
    if not there:
        told = f"{_CALLED[asked.kind]} {asked.name!r}" if asked.name else _CALLED[asked.kind]
        within = f" in its project {slug!r}" if slug and asked.kind is not Kind.PROJECT else ""
        raise InvalidInput.at(asked.pointer, f"The backup holds no {told}{within}.")
    if len(there) > 1:
        told = ", ".join(sorted(there))
        raise InvalidInput.at(asked.pointer, f"It is in several projects of the backup ({told}): say from_project.")
    (pk,) = there.values()
    return pk


def _projects(raw: sqlite3.Connection) -> list[tuple[int, str]]:
    return raw.execute(f"SELECT id, slug FROM {_PROJECT}").fetchall()


def _projects_with(raw: sqlite3.Connection, asked: Asked) -> list[tuple[int, str]]:
    parts, values = [], []
    for model, column in _WHERE[asked.kind].items():
        condition, own = _condition(model, column, asked.name)
        parts.append(f"SELECT project_id FROM {model._meta.db_table} WHERE {condition}")
        values += own
    return raw.execute(f"SELECT id, slug FROM {_PROJECT} WHERE id IN ({' UNION '.join(parts)})", values).fetchall()


def _condition(model: Model, column: str, name: str) -> tuple[str, list[str]]:
    conditions = [f"{column} = ?"] if column else []
    # The rows of a deleted session are only on their way out.
    conditions += [_KEPT] if model is Session else []
    return " AND ".join(conditions) or "1", [name] if column else []


def _mark_with(raw: sqlite3.Connection, model: Model, owner: Model) -> None:
    """Mark the rows that belong to marked ones."""
    column = owner._meta.model_name
    raw.execute(
        f"INSERT OR IGNORE INTO {marks(model)} (pk, asked) SELECT t.id, p.asked FROM {model._meta.db_table} t "
        f"JOIN {marks(owner)} p ON p.pk = t.{column}_id"
    )


def _mark_needed(raw: sqlite3.Connection, model: Model) -> None:
    """Mark what the chosen rows of a table refer to."""
    holder = owned().get(model)
    for field in model._meta.local_concrete_fields:
        parent: Any = field.related_model
        # A fact is of its session's project, whatever it says itself.
        if parent not in NEEDED or (holder is not None and parent is Project):
            continue
        key, marked = ("id", model) if holder is None else (holder.column, holder.related_model)
        raw.execute(
            f"INSERT OR IGNORE INTO {marks(parent)} (pk) SELECT DISTINCT t.{field.column} "
            f"FROM {model._meta.db_table} t JOIN {marks(marked)} p ON p.pk = t.{key} WHERE t.{field.column} IS NOT NULL"
        )
