"""A look at the database through a connection of its own: bounded in time, and telling of new connections."""

import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

PROBE_SECONDS = 2
_VENDOR_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB"}
# What must be on so that a committed row survives a power cut (design: reliability, 2.2).
_SAFE_VALUES: dict[str, dict[str, set[Any]]] = {
    "sqlite": {"PRAGMA synchronous": {2, 3}},
    "postgresql": {
        "SHOW fsync": {"on"},
        "SHOW full_page_writes": {"on"},
        "SHOW synchronous_commit": {"on", "remote_apply"},
    },
    "mysql": {"SELECT @@innodb_flush_log_at_trx_commit": {1}},
}


@dataclass(frozen=True)
class ProbeResult:
    """What the look found. `unsafe` lists the durability settings that are off, as `name=value`."""

    vendor: str
    version: str
    pending_migrations: int
    unsafe: tuple[str, ...]
    journal_mode: str | None


def database_probe() -> ProbeResult:
    """Connect anew, ask, and hang up. Raises DatabaseError when the database does not answer in a few seconds."""
    connection = _short_lived_connection()
    try:
        version = ".".join(str(part) for part in connection.get_database_version())
        return ProbeResult(
            vendor=connection.vendor,
            version=f"{_VENDOR_NAMES.get(connection.vendor, connection.display_name)} {version}",
            pending_migrations=len(known_migrations() - set(MigrationRecorder(connection).applied_migrations())),
            unsafe=tuple(_unsafe_settings(connection)),
            journal_mode=_value(connection, "PRAGMA journal_mode") if connection.vendor == "sqlite" else None,
        )
    finally:
        connection.close()


@lru_cache(maxsize=1)
def known_migrations() -> frozenset[tuple[str, str]]:
    """Return the migrations in the code, as (app, name); they can't change while the process runs."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def _short_lived_connection() -> BaseDatabaseWrapper:
    connection = connections["default"].copy()
    options = copy.deepcopy(connection.settings_dict["OPTIONS"])
    if connection.vendor == "sqlite":
        options["timeout"] = PROBE_SECONDS
    else:
        options["connect_timeout"] = PROBE_SECONDS
    if connection.vendor == "mysql":
        options["read_timeout"] = options["write_timeout"] = PROBE_SECONDS
    connection.settings_dict["OPTIONS"] = options
    return connection


def _unsafe_settings(connection: BaseDatabaseWrapper) -> list[str]:
    found = {question: _value(connection, question) for question in _SAFE_VALUES[connection.vendor]}
    return [
        f"{question.split()[-1]}={value}"
        for question, value in found.items()
        if value not in _SAFE_VALUES[connection.vendor][question]
    ]


def _value(connection: BaseDatabaseWrapper, question: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]
