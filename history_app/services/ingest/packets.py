"""Rows that are larger than MariaDB takes at once: it hangs up without saying so, which is said here in its place."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from django.db import OperationalError, connection

from config.shared.errors import TooLarge

# Too large a packet; or the server has gone away, or was lost in the midst of a statement, which it also is after one.
_MAYBE_TOO_LARGE = {1153, 2006, 2013}


@contextmanager
def packets_explained(table: str, rows: Sequence[Sequence[Any]]) -> Iterator[None]:
    """Raise TooLarge in place of MariaDB's lost connection where a row is over its `max_allowed_packet`.

    `table` names what the rows are of. Any other failure stays what it is.
    """
    try:
        yield
    except OperationalError as error:
        if connection.vendor != "mysql" or error.args[0] not in _MAYBE_TOO_LARGE:
            raise
        size, most = max(map(_size, rows)), _max_allowed_packet()
        if size < most:
            raise
        raise TooLarge(
            f"A row of {table} has {size:,} bytes, more than this MariaDB takes at once: its max_allowed_packet is "
            f"{most:,} bytes, and has to be raised."
        ) from error


def _size(row: Sequence[Any]) -> int:
    """Return how many bytes the row takes in a statement, where quotes and backslashes are written as two."""
    return sum(len(str(connection.connection.escape(value)).encode()) for value in row)


def _max_allowed_packet() -> int:
    """Ask on a new connection: the one that was refused is closed."""
    with closing(connection.copy()) as fresh, fresh.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        return int(cursor.fetchone()[0])
