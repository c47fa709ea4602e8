"""A MariaDB of a test's own that holds chat tables: filled by statements or from a dump, and dumped again."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest

from backups_app.legacy.locations import URL
from tests.private_servers import Server, mariadb, mariadb_is_installed

needs_mariadb = pytest.mark.skipif(not mariadb_is_installed(), reason="no MariaDB server on this machine")


@contextmanager
def chat_server() -> Iterator[Server]:
    """Run the server; its database `mysql` is in the URL."""
    # It runs as a user of its own, who may not look into pytest's folders.
    with tempfile.TemporaryDirectory(prefix="agentledger-tests-") as folder:
        Path(folder).chmod(0o755)
        with mariadb(Path(folder) / "server") as server:
            yield server


def run(url: str, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Run statements, some with their parameters, as an old client without strict rules would."""
    place = urlsplit(url)
    database = place.path.removeprefix("/")
    with (
        closing(
            pymysql.connect(
                host=place.hostname or "", port=place.port or 0, user="root", database=database, charset="utf8mb4"
            )
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
        for statement in statements:
            cursor.execute(*([statement] if isinstance(statement, str) else statement))
        connection.commit()


def load(url: URL, dump: Path) -> None:
    """Run a dump into a database with the server's own client."""
    with dump.open("rb") as text:
        subprocess.run(["mariadb", *_place(url)], stdin=text, check=True)


def dumped(url: URL, folder: Path) -> Path:
    """Dump a database into a file of the folder."""
    with (folder / "chat.sql").open("wb") as out:
        subprocess.run(["mariadb-dump", *_place(url)], stdout=out, check=True)
    return folder / "chat.sql"


def _place(url: URL) -> list[str]:
    place = urlsplit(url.text)
    where = [f"--host={place.hostname}", f"--port={place.port}", "--user=root", "--protocol=tcp"]
    return ["--no-defaults", *where, "--default-character-set=utf8mb4", place.path.removeprefix("/")]
