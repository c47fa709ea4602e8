"""Connection options of the three databases: durable, bounded in time, and with the same meaning of a transaction."""

import sqlite3
from typing import Any

# SQLite 3.7.0 to 3.51.2 can corrupt a database in WAL mode (the WAL-reset bug), so WAL is for later versions only.
FIRST_SAFE_WAL_VERSION = (3, 51, 3)
LOCK_WAIT_SECONDS = 20
IDLE_IN_TRANSACTION_SECONDS = 60
MARIADB_SQL_MODE = (
    "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "NO_ENGINE_SUBSTITUTION"
)


def sqlite_journal_mode(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> str:
    """Return the journal mode that is safe with this SQLite library: `wal`, or `delete` before 3.51.3."""
    return "wal" if version >= FIRST_SAFE_WAL_VERSION else "delete"


def database_settings(
    config: dict[str, Any], query_timeout: float, connect_timeout: int, *, prepared: bool = True
) -> dict[str, Any]:
    """Complete the entry of DATABASES that was read from DATABASE_URL.

    `query_timeout` and `connect_timeout` are seconds; 0 means without a limit. `prepared` lets PostgreSQL keep the
    plans of the statements that ask for it, which takes a pooler between them that knows about prepared statements.
    """
    engine = config["ENGINE"]
    options = dict(config.get("OPTIONS", {}))
    if engine.endswith("sqlite3"):
        return {**config, "CONN_MAX_AGE": 60, "OPTIONS": {**_sqlite_options(), **options}}
    served = {**config, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    if engine.endswith("postgresql"):
        return {**served, "OPTIONS": {**_postgresql_options(query_timeout, connect_timeout, prepared), **options}}
    _use_pymysql_when_alone()
    # Text that people search is compared without regard to case; ids carry a binary collation of their own.
    test = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_520_nopad_ci"}
    return {**served, "OPTIONS": {**_mariadb_options(query_timeout, connect_timeout), **options}, "TEST": test}


def _sqlite_options() -> dict[str, Any]:
    return {
        # A deferred transaction that turns into a writing one fails at once, without waiting for the timeout.
        "transaction_mode": "IMMEDIATE",
        "timeout": LOCK_WAIT_SECONDS,
        "init_command": f"PRAGMA journal_mode={sqlite_journal_mode()}; PRAGMA synchronous=FULL",
    }


def _postgresql_options(query_timeout: float, connect_timeout: int, prepared: bool) -> dict[str, Any]:
    limits = (
        f"-c statement_timeout={int(query_timeout * 1000)} -c lock_timeout={int(query_timeout * 1000)} "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_SECONDS * 1000}"
    )
    return {"connect_timeout": connect_timeout, "options": limits, "prepare_threshold": 0 if prepared else None}


def _mariadb_options(query_timeout: float, connect_timeout: int) -> dict[str, Any]:
    statements = (
        f"SET SESSION sql_mode='{MARIADB_SQL_MODE}', max_statement_time={query_timeout}, "
        f"innodb_lock_wait_timeout={max(1, int(query_timeout)) if query_timeout else LOCK_WAIT_SECONDS}, "
        # Long ids are ordered by all of their characters, not by the first 256.
        "max_sort_length=4096"
    )
    return {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": statements,
        "connect_timeout": max(1, connect_timeout),
    }


def _use_pymysql_when_alone() -> None:
    try:
        import MySQLdb  # noqa: F401
    except ImportError:
        import pymysql

        pymysql.install_as_MySQLdb()
