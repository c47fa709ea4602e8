"""Bounded retries of a transaction that the database gave up for reasons of its own: deadlock, serialization, busy."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, IntegrityError, OperationalError, connection

from config.shared.errors import Unavailable

Result = TypeVar("Result")

ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.02
# Serialization failure, deadlock, a lock that did not come in time.
POSTGRESQL_STATES = {"40001", "40P01", "55P03"}
MARIADB_CODES = {1205, 1213}
# A row that the new one refers to was deleted meanwhile, which a foreign key finds at the commit.
POSTGRESQL_GONE, MARIADB_GONE = "23503", 1452
_WAITED_IN_VAIN = {"55P03", "57014", 1205, 3024, 1969}


class TryAgain(Unavailable):
    """What a transaction had read was changed by another one before it could write."""

    def __init__(self) -> None:
        super().__init__("The records could not be stored because of other writers.", retry_after=1)


def retried(write: Callable[[], Result]) -> Result:
    """Return what `write` returns, starting it anew after a failure that a new transaction can cure.

    Within a transaction of the caller there is one attempt only: a part of a transaction cannot be repeated, so
    whoever began it repeats it whole. Raises Unavailable when every attempt failed.
    """
    if connection.in_atomic_block:
        return write()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return write()
        except (OperationalError, IntegrityError, TryAgain) as error:
            if not curable(error):
                raise
            if attempt == ATTEMPTS:
                raise TryAgain from error
        # Nobody is kept waiting by this pause: the transaction is over. Chance parts writers that met.
        time.sleep(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("unreachable: the last attempt returns or raises")


def curable(error: Exception) -> bool:
    """Return whether a new transaction may succeed where this one failed."""
    if isinstance(error, TryAgain):
        return True
    if connection.vendor == "sqlite":
        return "locked" in str(error) or "FOREIGN KEY" in str(error)
    return _code(error) in POSTGRESQL_STATES | MARIADB_CODES | {POSTGRESQL_GONE, MARIADB_GONE}


def waited_in_vain(error: Error) -> bool:
    """Return whether a statement was given up because another transaction held a lock for too long."""
    return "locked" in str(error) if connection.vendor == "sqlite" else _code(error) in _WAITED_IN_VAIN


def _code(error: Exception) -> str | int | None:
    """Return the SQLSTATE on PostgreSQL, the number of the error on MariaDB."""
    if connection.vendor == "postgresql":
        return getattr(error.__cause__, "sqlstate", None)
    return error.args[0] if error.args else None
