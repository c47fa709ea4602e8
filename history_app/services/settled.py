"""Up to which id a table is settled: no transaction that still runs can bring a record with a lower one.

Ids are given out before the commit, so a lower id may become visible after a higher one. What is derived up to a
watermark (the search index, roll-ups) may pass an id only when that cannot happen any more.
"""

import time
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Max

from history_app.models import Fact

PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.01
UNBOUNDED_STATEMENT_SECONDS = 600
MARIADB_LOCKED = {1205, 1222}
# Who writes to the table: each insert holds this lock from before it takes an id until its transaction is over.
POSTGRESQL_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND pid IS DISTINCT FROM pg_backend_pid()
"""


class Progress(Protocol):
    """The row that says how far something is derived; `ceiling` is an id that was the highest at `ceiling_at`."""

    pk: Any
    watermark: Any
    ceiling: Any
    ceiling_at: Any


def settled_id(model: type[Fact], progress: Progress, *, now: datetime) -> int:
    """Return the highest id up to which the table is settled; the progress's watermark where nothing more is."""
    highest = _highest(model)
    if highest <= progress.watermark:
        return int(progress.watermark)
    if connection.vendor == "postgresql":
        return highest if _writers_finish(model) else int(progress.watermark)
    if connection.vendor == "mysql":
        return _settled_on_mariadb(model, progress, highest, now)
    # SQLite has one writer at a time: what is visible is all there is.
    return highest


def _highest(model: type[Fact]) -> int:
    return int(model.objects.aggregate(highest=Max("pk"))["highest"] or 0)


def _writers(model: type[Fact]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(POSTGRESQL_WRITERS, [model._meta.db_table])
        return {name for (name,) in cursor.fetchall()}


def _writers_finish(model: type[Fact]) -> bool:
    """Return whether everybody who writes to the table at this moment is done soon; who comes later does not count."""
    waiting = _writers(model)
    until = time.monotonic() + PATIENCE_SECONDS
    while waiting and time.monotonic() < until:
        time.sleep(PAUSE_SECONDS)
        waiting &= _writers(model)
    return not waiting


def _settled_on_mariadb(model: type[Fact], progress: Progress, highest: int, now: datetime) -> int:
    """Return a former highest id, once it has aged.

    A statement takes its ids and puts its rows in place within QUERY_TIMEOUT, or is ended. After that time every row
    with a lower id is in place, and a locking read finds those whose transaction is still open.
    """
    aged = progress.ceiling_at is not None and now - progress.ceiling_at >= _longest_statement()
    settled = int(progress.watermark)
    if aged and progress.ceiling > settled and _nothing_locked(model, progress):
        settled = int(progress.ceiling)
    if settled == progress.ceiling or progress.ceiling <= progress.watermark:
        _raise_ceiling(progress, highest, now)
    return settled


def _longest_statement() -> timedelta:
    seconds = settings.QUERY_TIMEOUT or UNBOUNDED_STATEMENT_SECONDS
    return timedelta(seconds=1.5 * seconds)


def _nothing_locked(model: type[Fact], progress: Progress) -> bool:
    table = model._meta.db_table
    statement = (
        f"SELECT COUNT(*) FROM {table} FORCE INDEX (PRIMARY) WHERE id > %s AND id <= %s "  # noqa: S608 - our own name
        "LOCK IN SHARE MODE NOWAIT"
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, [progress.watermark, progress.ceiling])
    except OperationalError as error:
        if error.args[0] not in MARIADB_LOCKED:
            raise
        return False
    return True


def _raise_ceiling(progress: Any, highest: int, now: datetime) -> None:
    """Remember the highest id, unless somebody else has done so."""
    mine = type(progress)._default_manager.filter(pk=progress.pk, ceiling=progress.ceiling)
    mine.update(ceiling=highest, ceiling_at=now)
