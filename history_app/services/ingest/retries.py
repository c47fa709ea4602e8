"""Bounded retries of a transaction that the database gave up for reasons of its own: deadlock, serialization, busy."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, OperationalError, connection

from config.shared.errors import Unavailable

Result = TypeVar("Result")

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.02
POSTGRESQL_STATES = {"40001", "40P01", "55P03"}
MARIADB_CODES = {1205, 1213}


class SessionsMoved(Exception):
    """A session of the batch was deleted, or its counter moved, while the batch was being written."""


def retried(write: Callable[[], Result]) -> Result:
    """Return what `write` returns, starting it anew after a failure that a new transaction can cure.

    Within a transaction of the caller there is one attempt only: a part of a transaction cannot be repeated.
    Raises Unavailable when every attempt failed.
    """
    attempts = 1 if connection.in_atomic_block else ATTEMPTS
    for attempt in range(1, attempts + 1):
        try:
            return write()
        except (OperationalError, IntegrityError, SessionsMoved) as error:
            if not curable(error):
                raise
            if attempt == attempts:
                raise Unavailable("The records could not be stored because of other writers.", retry_after=1) from error
        # Nobody is kept waiting by this pause: the transaction is over. Chance parts writers that met.
        time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("unreachable: the last attempt returns or raises")


def curable(error: Exception) -> bool:
    """Return whether a new transaction may succeed where this one failed."""
    if isinstance(error, SessionsMoved):
        return True
    cause = error.__cause__
    if connection.vendor == "postgresql":
        # 23503: a session was deleted meanwhile, which a foreign key finds at the commit.
        return getattr(cause, "sqlstate", None) in POSTGRESQL_STATES | {"23503"}
    code = error.args[0] if error.args else None
    if connection.vendor == "mysql":
        return code in MARIADB_CODES | {1452}
    return "locked" in str(error) or "FOREIGN KEY" in str(error)
