"""Putting a scratch store's rows into a real one, in a single transaction: all is as in the archive, or as before.

Rows are written straight, past the services: the one exception to the rule of the house. So what they see to is seen
to here: sequences, what is derived, and that nobody else writes meanwhile.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import DataError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import AutoField

from analytics_app.services.rollups import usage_rollups_reset
from backups_app.services.backups.progress import Progress
from backups_app.services.backups.scratch_store import Content, Scratch, content_of
from backups_app.services.backups.snapshots import Snapshot, snapshot_of_file, snapshot_within
from backups_app.services.backups.tables import EMPTIED, FURNISHED, archived_models, columns_of
from config.shared.errors import Conflict
from history_app.services.ingest.statements import insert_rows
from history_app.services.search_index.filling import search_index_reset
from sessions_app.models import AuditEntry, Job, Project

WRITING, COMPARING = "writing", "comparing"


@dataclass
class Loaded:
    """What went, by table."""

    replaced: dict[str, int] = field(default_factory=dict)
    jobs_dropped: int = 0


def contents_there() -> dict[str, int]:
    """Return how many rows `default` has in the tables that are empty in an installation nobody has worked in yet."""
    counts = {model._meta.label_lower: model._base_manager.count() for model in _contents()}
    return {label: number for label, number in counts.items() if number}


def refuse_contents(there: dict[str, int]) -> None:
    """Raise Conflict when there is something that would be lost."""
    if there:
        told = ", ".join(f"{label} ({number})" for label, number in list(there.items())[:3])
        raise Conflict(f"The database is not empty: {told}. Say that it is to be replaced, or name another one.")


def _contents() -> list[Any]:
    return [model for model in archived_models() if model._meta.label_lower not in FURNISHED]


def store_load(
    *,
    connection: BaseDatabaseWrapper,
    scratch: Scratch,
    replace: bool,
    progress: Progress,
    and_then: Callable[[Loaded], None],
) -> Loaded:
    """Make the store that `default` is in this thread what the scratch store is; `and_then` is part of it.

    Whatever fails leaves the store as it was. Raises Conflict where it is not empty and not to be replaced, and where
    the database refuses a row.
    """
    with _unhurried(connection), transaction.atomic(durable=True), snapshot_of_file(scratch.path) as held:
        loaded = Loaded()
        _writers_stop(connection)
        loaded.replaced = _emptied(connection)
        if not replace:
            labels = {model._meta.label_lower for model in _contents()}
            refuse_contents({label: number for label, number in loaded.replaced.items() if label in labels})
        for model in archived_models():
            _table_load(held, model, progress)
            if model is Project:
                loaded.jobs_dropped = _jobs_of_no_project_drop()
                _references_at_once(connection)
        connection.check_constraints()
        _compare(snapshot_within(connection), scratch.content, progress)
        _settle(connection)
        and_then(loaded)
    return loaded


@contextmanager
def _unhurried(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Lift the limits of statements, and look at references when everything is there, not row by row."""
    statements: dict[str, tuple[str, ...]] = {
        "postgresql": ("SET statement_timeout = 0", "SET idle_in_transaction_session_timeout = 0"),
        # Gaps are locked, too, so that nobody adds rows meanwhile.
        "mysql": (
            "SET SESSION max_statement_time = 0, net_write_timeout = 600",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ),
    }
    with connection.cursor() as cursor:
        for statement in statements.get(connection.vendor, ()):
            cursor.execute(statement)
    with connection.constraint_checks_disabled():
        yield


def _writers_stop(connection: BaseDatabaseWrapper) -> None:
    """Let nobody else write until the end. SQLite and MariaDB need no word: one writer, and locks of all rows."""
    if connection.vendor == "postgresql":
        tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in archived_models())
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")


def _emptied(connection: BaseDatabaseWrapper) -> dict[str, int]:
    """Empty what is archived and what is derived, children first; return how many rows went."""
    gone = {}
    with connection.cursor() as cursor, _audit_gives_way(connection):
        for model in reversed(archived_models()):
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608 - of models
            if cursor.rowcount:
                gone[model._meta.label_lower] = cursor.rowcount
        for label in _EMPTIED_HERE:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(apps.get_model(label)._meta.db_table)}")  # noqa: S608
    return gone


# The others are emptied by the services that fill them, which move their marks on.
_EMPTIED_HERE = [label for label in EMPTIED if label.split(".")[0] not in ("analytics_app", "history_app")]


@contextmanager
def _audit_gives_way(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let the append-only audit log be emptied within this transaction, and by nobody else."""
    table = AuditEntry._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        elif connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [table])
            triggers = cursor.fetchall()
            for name, _sql in triggers:
                cursor.execute(f'DROP TRIGGER "{name}"')
            yield
            for _name, sql in triggers:
                cursor.execute(sql)
        else:
            cursor.execute("SET @agentledger_restoring = 1")
            try:
                yield
            finally:
                cursor.execute("SET @agentledger_restoring = NULL")


def _table_load(held: Snapshot, model: Any, progress: Progress) -> None:
    label, table, columns = model._meta.label_lower, model._meta.db_table, columns_of(model)
    names = [column.name for column in columns]
    for rows in held.rows_as_stored(table, columns, held.extent(table, columns)):
        try:
            insert_rows(model, names, rows)
        except (DataError, IntegrityError) as error:
            raise Conflict(f"This database refuses rows of {label}: {error}") from error
        progress.add(len(rows), f"{WRITING} {label}")


def _jobs_of_no_project_drop() -> int:
    """Drop jobs of projects that are not there any more: they were about rows that are not there either."""
    dropped, _per_model = Job.objects.filter(project__isnull=False).exclude(project__in=Project.objects.all()).delete()
    return dropped


def _references_at_once(connection: BaseDatabaseWrapper) -> None:
    # PostgreSQL would keep a note for each row until the end.
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _compare(there: Snapshot, content: dict[str, Content], progress: Progress) -> None:
    """See that every table of the store adds up to what the archive states. Raises Conflict."""
    for model in archived_models():
        label = model._meta.label_lower

        def tick(rows: int, label: str = label) -> None:
            progress.add(rows, f"{COMPARING} {label}")

        found = content_of(there, model, tick)
        if found != content[label]:
            raise Conflict(f"{label} came out otherwise than it stands in the archive ({found} and {content[label]}).")


def _settle(connection: BaseDatabaseWrapper) -> None:
    """Let numbers go on above those that came, and what is derived begin anew."""
    usage_rollups_reset()
    search_index_reset()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for model in archived_models():
                _sequence_raise(cursor, model)


def _sequence_raise(cursor: Any, model: Any) -> None:
    pk = model._meta.pk
    if not isinstance(pk, AutoField):
        return
    table, column = model._meta.db_table, pk.column
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [f'"{table}"', column])
    (sequence,) = cursor.fetchone()
    # Only ever upwards: a sequence does not take part in the transaction, and must be right when it fails, too.
    cursor.execute(
        f"SELECT setval(%s, GREATEST((SELECT last_value FROM {sequence}), "  # noqa: S608 - of models
        f'(SELECT COALESCE(MAX("{column}"), 1) FROM "{table}")))',
        [sequence],
    )
