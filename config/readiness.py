"""Readiness: each thing the product needs, looked at within a few seconds, with a status and words for people."""

import os
import shutil
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from django.utils import timezone
from kombu import Connection
from redis.exceptions import RedisError

from backups_app.selectors import backup_standing
from config.databases import sqlite_journal_mode
from config.probe import ProbeResult, database_probe
from config.schedule_runs import canary_last

OK, DEGRADED, FAILED = "ok", "degraded", "failed"
BROKER_SECONDS = 2
# So many intervals without a canary mean that no worker takes jobs.
CANARIES_MISSED = 3
LOW_DISK_BYTES = 1024**3
FULL_DISK_BYTES = 64 * 1024**2

Check = dict[str, Any]


def readiness() -> dict[str, Any]:
    """Return `{"status", "checks"}`; the whole is as good as its worst part. Nothing in it is secret."""
    checks = {**_database_checks(), "cache": _cache(), "broker": _broker(), "disk": _disk()}
    if checks["database"]["status"] == OK and checks["migrations"]["status"] == OK:
        checks["workers"] = _workers()
        checks["backups"] = _backups()
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


def broker_answers() -> bool:
    """Return whether the broker can be used at this moment."""
    return bool(_broker()["status"] == OK)


def _workers() -> Check:
    """Judge by the last canary that was done: a worker that answers a ping may still take no jobs."""
    interval = settings.CANARY_INTERVAL
    if not interval:
        return _check(OK, "Nobody watches: CANARY_INTERVAL is 0.")
    now = timezone.now()
    canary = canary_last(now=now)
    age = (now - (canary.done_at or canary.expected_since)).total_seconds()
    if canary.done_at is None:
        text = f"No job was done yet; the first was expected {age:.0f} s ago."
    elif canary.is_woken:
        text = f"The last canary was done {age:.0f} s ago."
    else:
        text = f"The last canary was done {age:.0f} s ago, but no message woke its worker: jobs start late."
    is_good = age <= CANARIES_MISSED * interval and canary.is_woken
    return _check(OK if is_good else DEGRADED, text, age_seconds=round(age, 1))


def _backups() -> Check:
    """Judge by the newest backup that was read back and found good."""
    standing = backup_standing(now=timezone.now())
    detail = "No verified backup is there."
    if standing.age is not None:
        hours = standing.age.total_seconds() / 3600
        detail = f"The newest verified backup is {hours:.1f} h old."
    if standing.state == "failed":
        detail += " The last one failed."
    is_good = standing.state != "failed" and not standing.overdue
    facts = {"state": standing.state, "age_seconds": None if standing.age is None else standing.age.total_seconds()}
    return _check(OK if is_good else DEGRADED, detail, **facts)


def _cache() -> Check:
    try:
        cache.get("readiness")
    except (RedisError, OSError) as error:
        # Reads go on from the database; only agents in memory cannot be told of.
        return _check(DEGRADED, f"The cache does not answer ({type(error).__name__}).")
    return _check(OK, "The cache answers.")


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
