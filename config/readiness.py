"""Readiness: each thing the product needs, looked at within a few seconds, with a status and words for people."""

import os
import shutil
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from kombu import Connection

from config.databases import sqlite_journal_mode
from config.probe import ProbeResult, database_probe

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
BROKER_SECONDS = 2
LOW_DISK_BYTES = 1024**3
FULL_DISK_BYTES = 64 * 1024**2

Check = dict[str, Any]


def readiness() -> dict[str, Any]:
    """Return `{"status", "checks"}`; the whole is as good as its worst part. Nothing in it is secret."""
    checks = {**_database_checks(), "broker": _broker(), "disk": _disk()}
    found = {check["status"] for check in checks.values()}
    status = next((bad for bad in (FAILED, DEGRADED) if bad in found), OK)
    return {"status": status, "checks": checks}


def _check(status: str, detail: str, **more: Any) -> Check:
    return {"status": status, "detail": detail, **more}


def _database_checks() -> dict[str, Check]:
    try:
        found = database_probe()
    except DatabaseError as error:
        # The message of a driver may name hosts and users, so only the kind of the error is shown.
        return {
            "database": _check(FAILED, f"The database does not answer ({type(error).__name__})."),
            "migrations": _check(FAILED, "Unknown while the database does not answer."),
        }
    checks = {"database": _database(found), "migrations": _migrations(found)}
    if found.vendor == "sqlite":
        checks["sqlite"] = _sqlite(found)
    return checks


def _database(found: ProbeResult) -> Check:
    if found.unsafe:
        detail = f"{found.version} may lose committed data when the power fails: {', '.join(found.unsafe)}."
        return _check(FAILED, detail)
    return _check(OK, found.version)


def _migrations(found: ProbeResult) -> Check:
    if found.pending_migrations:
        return _check(FAILED, f"{found.pending_migrations} migrations are not applied; run manage.py migrate.")
    return _check(OK, "All migrations are applied.")


def _sqlite(found: ProbeResult) -> Check:
    facts = {"version": found.version.removeprefix("SQLite "), "journal_mode": found.journal_mode}
    if found.journal_mode == "wal" and sqlite_journal_mode() != "wal":
        return _check(DEGRADED, "This version can corrupt a database in WAL mode.", **facts)
    return _check(OK, f"Journal mode {found.journal_mode}.", **facts)


def _broker() -> Check:
    kind = "embedded" if settings.EMBEDDED_BROKER else settings.CELERY_BROKER_URL.split(":", 1)[0]
    look: Callable[[], None] = _look_at_folder if settings.EMBEDDED_BROKER else _look_at_server
    try:
        look()
    # Every transport has errors of its own, and some raise plain ones: whatever it is, the broker can't be used.
    except Exception as error:  # noqa: BLE001
        # Records are still taken while jobs wait, so this is no reason to send callers away.
        return _check(DEGRADED, f"The {kind} broker does not answer ({type(error).__name__}).")
    return _check(OK, f"The {kind} broker answers.")


def _look_at_folder() -> None:
    folder = settings.BROKER_DIR / "queue"
    if not os.access(folder, os.W_OK):
        raise PermissionError(folder)


def _look_at_server() -> None:
    options = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "socket_connect_timeout": BROKER_SECONDS,
        "socket_timeout": BROKER_SECONDS,
    }
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=BROKER_SECONDS, transport_options=options) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)


def _disk() -> Check:
    if not os.access(settings.DATA_DIR, os.W_OK):
        return _check(FAILED, "DATA_DIR can't be written.")
    free = shutil.disk_usage(settings.DATA_DIR).free
    status = FAILED if free < FULL_DISK_BYTES else DEGRADED if free < LOW_DISK_BYTES else OK
    return _check(status, f"{free / 1024**3:.1f} GB are free in DATA_DIR.", free_bytes=free)
