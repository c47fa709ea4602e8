"""What is told of a part: what becomes of each thing, what goes for it, and the events and audit entries of it."""

# Every name that is put into a statement comes from a model; values are parameters.
# ruff: noqa: S608

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.models import Restore
from backups_app.services.backups.parts.belongings import NAMED, named_of, owned, tables_of_parts
from backups_app.services.backups.parts.choice import Choice, Kind
from backups_app.services.backups.parts.meeting import Outcome
from backups_app.services.backups.parts.passing import KEYS_AT_ONCE, coming, targets
from backups_app.services.backups.parts.selecting import PLACES, marks
from config.shared.callers import Caller
from config.shared.pieces import in_pieces
from sessions_app.models import Event, Project, Session, UserConfig
from sessions_app.services.audit import audit_record
from sessions_app.services.events import events_record
from sessions_app.services.staff_edits import row_audit

IDS_TOLD = 100
_REPLACED = f"p.outcome = '{Outcome.REPLACED}'"
# What the audit calls them.
_TARGETS = {Kind.SESSION: "session", Kind.USER: "user_config", Kind.PROJECT: "project", Kind.CONFIGS: "config"}


def outcomes_told(raw: sqlite3.Connection, asked: int | None = None) -> dict[str, dict[str, int]]:
    """Return how many things of each kind have which outcome: of one place in the request, or of all."""
    found: dict[str, dict[str, int]] = {}
    for named in NAMED:
        rows = raw.execute(
            f"SELECT outcome, COUNT(*) FROM {marks(named.model)} WHERE asked = COALESCE(?, asked) "
            f"OR (? IS NULL AND outcome = '{Outcome.NEW}') GROUP BY 1 ORDER BY 1",
            [asked, asked],
        ).fetchall()
        if rows:
            found[named.model._meta.label_lower] = dict(rows)
    return found


def new_ids_told(raw: sqlite3.Connection) -> list[dict[str, str]]:
    """Return the things that come under another id: the first of them, with both ids."""
    told: list[dict[str, str]] = []
    for named in NAMED:
        if named.own_id:
            table, label = named.model._meta.db_table, named.model._meta.label_lower
            rows = raw.execute(
                f"SELECT t.{named.own_id}, p.called FROM {marks(named.model)} p JOIN {table} t ON t.id = p.pk "
                f"WHERE p.called IS NOT NULL AND {coming(named.model)} ORDER BY p.pk LIMIT {IDS_TOLD}"
            )
            told += [{"kind": label, "id": was, "called": called} for was, called in rows]
    return told[:IDS_TOLD]


def rows_told(raw: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows of each table are to be written."""
    counts = {}
    for model in tables_of_parts():
        holder = owned().get(model)
        table, key = model._meta.db_table, holder.column if holder else "id"
        # A step is its task's, which is its session's.
        way = f"SELECT p.pk FROM {marks(holder.related_model if holder else model)} p WHERE {coming(model)}"
        if holder and named_of(holder.related_model) is None:
            above = owned()[holder.related_model]
            way = (
                f"SELECT t.id FROM {holder.related_model._meta.db_table} t JOIN {marks(above.related_model)} p "
                f"ON p.pk = t.{above.column} WHERE {coming(model)}"
            )
        (number,) = raw.execute(f"SELECT COUNT(*) FROM {table} WHERE {key} IN ({way})").fetchone()
        if number:
            counts[model._meta.label_lower] = int(number)
    return counts


def lost_told(raw: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows of the living store give way: those of replaced things, and what hangs on them."""
    lost: Counter[str] = Counter()
    for named in NAMED:
        lost[named.model._meta.label_lower] += len(targets(raw, named.model, _REPLACED))
    for owner in (Session, UserConfig):
        keys = targets(raw, owner, _REPLACED)
        for some in in_pieces(keys, KEYS_AT_ONCE):
            for model, holder in owned().items():
                if holder.related_model is owner:
                    number = model._base_manager.filter(**{f"{holder.name}__in": some}).count()
                    lost[model._meta.label_lower] += number
    return {label: number for label, number in sorted(lost.items()) if number}


def part_tell(
    raw: sqlite3.Connection, *, restore: Restore, choice: Choice, rows: int, caller: Caller, now: datetime
) -> None:
    """Write the events of the sessions and the audit entries of what was asked for, within the caller's transaction."""
    for outcome, kind in (
        (Outcome.NEW, Event.Kind.SESSION_CREATED),
        (Outcome.NEW_ID, Event.Kind.SESSION_CREATED),
        (Outcome.REPLACED, Event.Kind.SESSION_UPDATED),
    ):
        for project, subjects in _sessions(raw, f"p.outcome = '{outcome}'"):
            events_record(project_id=project, kind=kind, subjects=subjects, now=now)
    for place, asked in enumerate(choice.only):
        changes = {"archive": restore.backup_name, "restore": restore.pk, "on_conflict": str(choice.on_conflict)}
        audit_record(
            project_id=_project_of(raw, place),
            caller=caller,
            action=f"{_TARGETS[asked.kind]}.restore",
            target_type=_TARGETS[asked.kind],
            target_id=asked.name,
            changes={**changes, "outcomes": outcomes_told(raw, place)},
            now=now,
        )
    told = {"archive": restore.backup_name, "only": choice.told()["only"], "rows": rows}
    row_audit(row=restore, verb="create", changes=told, caller=caller, now=now)


def _sessions(raw: sqlite3.Connection, condition: str) -> Iterator[tuple[int, list[tuple[str, dict[str, Any]]]]]:
    """Yield sessions of the living store by project, some at a time, with what an event says of them."""
    for keys in in_pieces(targets(raw, Session, condition), KEYS_AT_ONCE):
        found = Session.objects.filter(pk__in=keys).order_by("pk")
        by_project: defaultdict[int, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for project, name, status, version in found.values_list("project_id", "session_id", "status", "version"):
            by_project[project].append((name, {"status": status, "version": version}))
        yield from by_project.items()


def _project_of(raw: sqlite3.Connection, place: int) -> int:
    """Return the project of the living store into which one thing of the request has come."""
    statement = f"SELECT p.target FROM {PLACES} JOIN {marks(Project)} p ON p.pk = project WHERE place = ?"
    (project,) = raw.execute(statement, [place]).fetchone()
    return int(project)
