"""One installation with workers and brokers that a test may kill; it looks at the database from outside."""

import contextlib
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import uuid
from pathlib import Path

from tests.config.served import ROOT, environment, until
from tests.private_servers import free_port

APP = "tests.jobs_at_work.worker"
# The long forms: as many jobs as the acceptance plan asks for, or fewer on a machine that is slow or busy.
LONG, LONG_SECONDS = int(os.environ.get("TORTURE_JOBS", "10000")), 1200
RABBITMQ = "amqp://guest:guest@127.0.0.1:5672//"


def reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class House:
    """A DATA_DIR with its database, and the processes that belong to it."""

    def __init__(self, data_dir: Path, broker: str = "", **settings: str) -> None:
        self.data_dir = data_dir
        named = {"JOB_QUEUE": f"test-{uuid.uuid4().hex}", "CELERY_BROKER_URL": broker, "LOG_LEVEL": "ERROR"}
        quick = {"JOB_LEASE": "3", "JOB_SWEEP_INTERVAL": "1", "CANARY_INTERVAL": "0", "SERVES_PAGES": "off"}
        self.env = environment(data_dir, **named, **{**quick, **settings})
        self.processes: list[subprocess.Popen] = []

    def start(self, *command: str) -> subprocess.Popen:
        """Start a program of the installation in a group of its own."""
        started = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command],
            cwd=ROOT,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.processes.append(started)
        return started

    def worker(self, pool: str = "threads") -> subprocess.Popen:
        """Start a worker, as `manage.py serve` does."""
        options = ["--concurrency=4", "--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self.start(
            "-m", "celery", "--quiet", "--skip-checks", f"--app={APP}", "worker", f"--pool={pool}", *options
        )

    def beat(self, scheduler: str = "config.beat:SlotScheduler") -> subprocess.Popen:
        """Start a scheduler."""
        options = ["beat", "--pidfile=", f"--scheduler={scheduler}"]
        return self.start("-m", "celery", "--quiet", "--skip-checks", f"--app={APP}", *options)

    def asks(self, kind: str, count: int, *more: str) -> subprocess.Popen:
        """Ask for jobs from another process, as web servers do."""
        return self.start("-m", APP, kind, str(count), *more)

    def kill(self, process: subprocess.Popen) -> None:
        """Kill a program and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill_a_child(self, process: subprocess.Popen, chance: random.Random) -> None:
        """Kill one of the processes that a worker of the pool `prefork` has started, where there is one."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(chance.choice(children)), signal.SIGKILL)

    def close(self) -> None:
        for process in self.processes:
            self.kill(process)

    def ask(self, question: str, *values: object) -> list[tuple]:
        """Ask the database."""
        connection = sqlite3.connect(self.data_dir / "agentledger.sqlite3", timeout=30)
        try:
            return connection.execute(question, values).fetchall()
        finally:
            connection.close()

    def count(self, where: str = "1", table: str = "job") -> int:
        return self.ask(f"SELECT count(*) FROM sessions_app_{table} WHERE {where}")[0][0]

    def all_over(self) -> bool:
        return self.count("state IN ('queued', 'running')") == 0

    def traces(self) -> int:
        """Return how many traces there are, which takes less than `effects`."""
        return self.count("kind = 'torture.effect'", "event")

    def effects(self, kind: str = "torture.effect") -> list[int]:
        """Return the numbers of the traces that jobs of a kind left, sorted."""
        found = self.ask("SELECT subject FROM sessions_app_event WHERE kind = ?", kind)
        return sorted(int(subject) for (subject,) in found)


class Redis:
    """A private Redis that keeps nothing on disk, as packaged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen | None = None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> "Redis":
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [shutil.which("redis-server") or "redis-server", *options],
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
        until(lambda: reachable(self.port))
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def flush(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as asked:
            asked.sendall(b"FLUSHALL\r\n")
            assert asked.recv(16).startswith(b"+OK")


class Wire:
    """A stretch of wire to a server, which a test may cut: every connection through it is reset."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pairs: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _address = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                if self._listener.fileno() < 0:
                    return
                continue
            self._pairs += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def cut(self) -> int:
        """Reset every connection, and return how many there were."""
        ends, self._pairs = self._pairs, []
        for end in ends:
            try:
                # Lingering for no time makes the kernel send a reset.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        return len(ends) // 2

    def close(self) -> None:
        self._listener.close()
        self.cut()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        end.close()
