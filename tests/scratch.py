"""Databases that are made for one run and dropped after it, on any of the three kinds of servers."""

import contextlib
import secrets
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit, urlunsplit

SQLITE = "sqlite"
_COLLATED = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_nopad_ci"


@contextlib.contextmanager
def scratch(server: str) -> Iterator[str]:
    """Make an empty database on the server of this URL, yield its own URL, and drop it again.

    For SQLite, whose file is made in DATA_DIR, the URL is empty.
    """
    if not server or server == SQLITE:
        yield ""
        return
    address = urlsplit(server)
    name = f"agentledger_scratch_{secrets.token_hex(4)}"
    on_postgresql = address.scheme.startswith("postgres")
    execute = _on_postgresql if on_postgresql else _on_mariadb
    execute(
        address, f"CREATE DATABASE {name} " + ("TEMPLATE template0 ENCODING 'UTF8'" if on_postgresql else _COLLATED)
    )
    try:
        yield urlunsplit(address._replace(path=f"/{name}"))
    finally:
        execute(address, f"DROP DATABASE {name}" + (" WITH (FORCE)" if on_postgresql else ""))


def _on_postgresql(address: SplitResult, statement: str) -> None:
    import psycopg

    with psycopg.connect(urlunsplit(address._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def _on_mariadb(address: SplitResult, statement: str) -> None:
    import pymysql

    given = {"host": address.hostname, "port": address.port, "user": address.username, "password": address.password}
    with pymysql.connect(**{name: value for name, value in given.items() if value}) as connection:  # type: ignore[arg-type]
        connection.cursor().execute(statement)
