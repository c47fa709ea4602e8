"""A web server of ours on a database of its own, with callers that try again, and somebody who kills its workers."""

import base64
import contextlib
import http.client
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.scratch import scratch

ROOT = Path(__file__).resolve().parents[2]
Result = TypeVar("Result")

WORKERS = 4
# Bounds what hangs; nothing here takes nearly as long.
PATIENCE_SECONDS = 120
_TRY_AGAIN = {409, 429, 500, 502, 503, 504}


class Web:
    """A running web server: its address, its key, and its processes."""

    def __init__(self, port: int, token: str, process: "subprocess.Popen[bytes]") -> None:
        self.port, self.token, self.process = port, token, process

    def workers(self) -> list[int]:
        """Return the process numbers of the workers that are alive."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text(encoding="ascii")
        return [int(number) for number in listed.split()]

    def caller(self) -> "Caller":
        """Return a new caller with a connection of its own."""
        return Caller(self)


class Caller:
    """One client. Like a good one it tries again until it has an answer, and tells how long that took."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._connection: http.client.HTTPConnection | None = None
        self.tries = self.longest = 0.0

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send once and return status and document. Raises OSError or HTTPException when there was no answer."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._web.port, timeout=PATIENCE_SECONDS)
        raw = None if body is None else json.dumps(body)
        usual = {"Authorization": f"Bearer {self._web.token}", "Content-Type": "application/json"}
        try:
            self._connection.request(method, path, raw, {**usual, **headers})
            answer = self._connection.getresponse()
            told = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return answer.status, json.loads(told)

    def insist(self, method: str, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Send until there is an answer that says what became of it."""
        start = time.monotonic()
        while time.monotonic() < start + PATIENCE_SECONDS:
            self.tries += 1
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, told = self.send(method, path, body, **headers)
                if status not in _TRY_AGAIN:
                    self.longest = max(self.longest, time.monotonic() - start)
                    return status, told
            time.sleep(0.02)
        raise AssertionError(f"no answer to {method} {path}")

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextlib.contextmanager
def web(folder: Path, migrated: Callable[..., None], server: str = "", **more: str) -> Iterator[Web]:
    """Serve an empty store: in a database of its own on this server, or with SQLite in the folder.

    `migrated` is the fixture of that name.
    """
    with scratch(server) as url, socket.socket() as listening:
        keys = "t:" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(folder), "ENV_FILE": "", "LOG_LEVEL": "CRITICAL"}
        env |= {
            "SECRET_KEY": secrets.token_hex(32),
            "FIELD_ENCRYPTION_KEYS": keys,
            "ALLOWED_HOSTS": "127.0.0.1",
            **more,
        }
        migrated(folder, url)
        token = json.loads(_manage(env, "api_key", "create", "fire", "--role", "operator", "--json"))["key"]
        listening.bind(("127.0.0.1", 0))
        listening.listen(512)
        number = listening.fileno()
        command = [sys.executable, "-W", "ignore", "-m", "config.serving.web"]
        options = [f"--socket={number}", f"--workers={WORKERS}"]
        process = subprocess.Popen([*command, *options], cwd=ROOT, env=env, pass_fds=[number], start_new_session=True)
        try:
            served = Web(listening.getsockname()[1], token, process)
            served.caller().insist("GET", "/api/sessions/", None)
            yield served
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)


def _manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextlib.contextmanager
def killer(served: Web, *, progress: Callable[[], int], every: int, seed: int) -> Iterator[list[int]]:
    """Kill a worker with SIGKILL each time when about `every` more writes were answered; yields those that were killed.

    By writes and not by the clock, so that a busy machine gets as many kills as an idle one.
    """
    picker, killed, ended = random.Random(seed), list[int](), threading.Event()

    def kill() -> None:
        due = every
        while not ended.wait(0.005):
            alive = served.workers() if progress() >= due else []
            if alive:
                victim = picker.choice(alive)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)
                due = progress() + picker.randint(every // 2, every * 3 // 2)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def together(work: Callable[[int], Result], numbers: Iterable[int]) -> list[Result]:
    """Do the work for each number in a thread of its own, all at once, and return the answers in order."""
    listed = list(numbers)
    with ThreadPoolExecutor(len(listed)) as pool:
        return list(pool.map(work, listed))


def everything(caller: Caller, path: str) -> list[Any]:
    """Return all rows of a list, page by page."""
    rows: list[Any] = []
    following: str | None = f"{path}?page_size=1000"
    while following:
        status, told = caller.insist("GET", following.partition(f"127.0.0.1:{caller._web.port}")[2] or following, None)
        assert status == 200, told
        rows += told["results"]
        following = told["next"]
    return rows
