"""Database servers of a test's own, started as its children and ended with it: their processes are nobody else's."""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pymysql
import redis

PATIENCE_SECONDS = 60


class Server:
    """A running server: the URL of it, and its processes."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url, self.process = url, process

    def processes(self) -> list[int]:
        """Return the numbers of its main process and of the processes that this one has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [self.process.pid, *map(int, children.split())]


def postgresql_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.contextmanager
def postgresql(folder: Path, *options: str) -> Iterator[Server]:
    """Run a PostgreSQL server with these settings (`name=value`) in an empty folder."""
    programs = postgresql_programs()
    assert programs is not None
    as_user, port = _of_user("postgres", folder), free_port()
    made = [programs / "initdb", "-D", folder / "db", "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run([*as_user, *map(str, made)], check=True, capture_output=True)
    settings = [part for option in ("listen_addresses=127.0.0.1", *options) for part in ("-c", option)]
    command = [str(programs / "postgres"), "-D", str(folder / "db"), "-k", str(folder), "-p", str(port), *settings]
    url = f"postgres://tests@127.0.0.1:{port}/postgres"
    with _running(
        [*as_user, *command], url, signal.SIGINT, lambda: psycopg.connect(url, connect_timeout=5).close()
    ) as server:
        yield server


@contextlib.contextmanager
def mariadb(folder: Path, *options: str) -> Iterator[Server]:
    """Run a MariaDB server with these options (`--name=value`) in an empty folder."""
    as_user, port = _of_user("mysql", folder), free_port()
    data, safe = f"--datadir={folder / 'db'}", "--auth-root-authentication-method=normal"
    made = ["mariadb-install-db", "--no-defaults", data, safe, "--skip-test-db"]
    subprocess.run([*as_user, *made], check=True, capture_output=True)
    bound = [f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve", "--character-set-server=utf8mb4"]
    files = [f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}"]
    command = ["mariadbd", "--no-defaults", data, *files, *bound, *options]

    def answers() -> None:
        pymysql.connect(host="127.0.0.1", port=port, user="root", connect_timeout=5).close()

    with _running([*as_user, *command], f"mysql://root@127.0.0.1:{port}/mysql", signal.SIGTERM, answers) as server:
        yield server


@contextlib.contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[Server]:
    """Run a Redis with an empty memory, which keeps nothing unless it is asked to save; `options` are its arguments."""
    port = free_port()
    bound = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]

    def answers() -> None:
        with contextlib.suppress(redis.AuthenticationError):
            redis.Redis(port=port).ping()

    with _running(["redis-server", *bound, *options], f"redis://127.0.0.1:{port}/0", signal.SIGTERM, answers) as server:
        yield server


def redis_is_installed() -> bool:
    """Return whether there is a Redis server to start."""
    return shutil.which("redis-server") is not None


def _of_user(user: str, folder: Path) -> list[str]:
    """Give the folder to the user as which a server runs (they refuse to run as root); return how to become it."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        return []
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"]


def free_port() -> int:
    """Return a port that nobody uses, and that no one gets by chance before the server binds it.

    Those that the kernel gives out by itself, to every client that connects, begin further up.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def _running(command: list[str], url: str, end: signal.Signals, answers: Callable[[], None]) -> Iterator[Server]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answers()
                break
            # Not `pymysql.err`: where PyMySQL stands in for MySQLdb, that becomes a second module with other classes.
            except (psycopg.OperationalError, pymysql.OperationalError, redis.ConnectionError):
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.1)
        yield Server(url, process)
    finally:
        process.send_signal(end)
        process.wait(PATIENCE_SECONDS)


def mariadb_is_installed() -> bool:
    """Return whether there is a MariaDB server to start."""
    return shutil.which("mariadbd") is not None
