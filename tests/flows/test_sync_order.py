"""No answer leaves before its write is on the disk: the system calls of the database, in order (reliability, A4).

A killed process proves nothing about a power cut, because the kernel still has what was written.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests import private_servers
from tests.flows.web_under_fire import web

COMMITS = 300
_SYNC = re.compile(r"(fsync|fdatasync)\(\d+.*\)\s+= 0|<\.\.\. (fsync|fdatasync) resumed>.*= 0")
_ANSWER = re.compile(r'send(to|msg)?\(\d+, .*(HTTP/1\.1 201|"done")')
pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


@contextlib.contextmanager
def _traced(pids, path: Path):
    """Write down the syncs and sends of these processes and of their threads."""
    chosen = [option for pid in pids for option in ("-p", str(pid))]
    command = ["strace", "-f", "-ttt", "-s", "64", "-e", "trace=fsync,fdatasync,sendto,sendmsg", "-o", str(path)]
    tracer = subprocess.Popen([*command, *chosen], stderr=subprocess.PIPE)
    try:
        attached = 0
        while attached < len(pids):
            line = tracer.stderr.readline()
            assert line, "strace could not attach"
            attached += b"attached" in line
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)


def _synced(path: Path) -> tuple[int, int]:
    """Return how many answers were sent, and how many of them had a finished sync since the answer before."""
    answers = synced = syncs = 0
    for line in path.read_text(errors="replace").splitlines():
        if _SYNC.search(line):
            syncs += 1
        elif _ANSWER.search(line):
            answers, synced, syncs = answers + 1, synced + bool(syncs), 0
    return answers, synced


@contextlib.contextmanager
def _database(kind: str, *, careless: bool = False):
    """Yield the URL of a database server of our own and what tells its processes; SQLite has none of either."""
    if kind == "sqlite":
        yield "", list
        return
    if kind == "postgresql" and private_servers.postgresql_programs() is None:
        pytest.skip("PostgreSQL is not installed")
    if kind == "mariadb" and not private_servers.mariadb_is_installed():
        pytest.skip("MariaDB is not installed")
    options = {"postgresql": "synchronous_commit=off", "mariadb": "--innodb-flush-log-at-trx-commit=0"}
    start = getattr(private_servers, kind)
    # Not below pytest's own folder, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="agentledger-tests-") as outside:
        Path(outside).chmod(0o755)
        with start(Path(outside) / "server", *([options[kind]] if careless else [])) as server:
            yield server.url, server.processes


def _write(served, *, keyed: bool) -> None:
    caller = served.caller()
    for number in range(COMMITS):
        headers = {"Idempotency-Key": f"k-{number}"} if keyed else {}
        body = {"role": "user", "content": "x"}
        assert caller.send("POST", "/api/sessions/s-1/messages/", body, **headers)[0] == 201


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mariadb"])
def test_every_answer_comes_after_a_finished_sync(tmp_path, migrated, kind, keyed):
    with _database(kind) as (url, processes), web(tmp_path / "store", migrated, url) as served:
        served.caller().insist("PUT", "/api/sessions/s-1/", {})
        with _traced([*processes(), *served.workers()], tmp_path / "trace"):
            _write(served, keyed=keyed)
    assert _synced(tmp_path / "trace") == (COMMITS, COMMITS)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_control_a_careless_server_answers_before_it_syncs(tmp_path, migrated, kind):
    with _database(kind, careless=True) as (url, processes), web(tmp_path / "store", migrated, url) as served:
        served.caller().insist("PUT", "/api/sessions/s-1/", {})
        with _traced([*processes(), *served.workers()], tmp_path / "trace"):
            _write(served, keyed=False)
    answers, synced = _synced(tmp_path / "trace")
    assert answers == COMMITS
    assert synced < COMMITS / 2


CONTROL = """
import socket, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL"); database.execute("PRAGMA synchronous=NORMAL")
database.execute("CREATE TABLE t (n)")
ours, theirs = socket.socketpair()
sys.stdin.readline()
for n in range(300):
    database.execute("INSERT INTO t VALUES (?)", [n])
    ours.send(b"done")
    theirs.recv(4)
"""


def test_control_the_usual_advice_for_sqlite_answers_before_it_syncs(tmp_path):
    command = [sys.executable, "-c", CONTROL, str(tmp_path / "db")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        time.sleep(1)
        with _traced([process.pid], tmp_path / "trace"):
            process.stdin.write(b"go\n")
            process.stdin.close()
            process.wait(60)
    finally:
        process.kill()
    answers, synced = _synced(tmp_path / "trace")
    assert answers == COMMITS
    assert synced < COMMITS / 10
