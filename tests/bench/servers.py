"""Two gunicorns beside each other, and a client that asks both in turn over one open connection each."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.private_servers import free_port

WARM = 10
PATIENCE = 60


@contextlib.contextmanager
def serving_as_ours(application: str, workers: int) -> Iterator[int]:
    """Serve a module's WSGI application with the settings of `manage.py serve`; yields the port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        number = listening.fileno()
        command = [sys.executable, "-W", "ignore", "-m", "tests.bench.server", application]
        server = subprocess.Popen([*command, f"--socket={number}", f"--workers={workers}"], pass_fds=[number])
        port = int(listening.getsockname()[1])
        try:
            _wait_for_answer(port)
            yield port
        finally:
            server.terminate()
            server.wait(PATIENCE)


@contextlib.contextmanager
def serving(application: str) -> Iterator[int]:
    """Serve a WSGI application with one gunicorn worker; yields the port and stops the server afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", "--threads", "1"]
    options = ["--worker-class", "gthread", "--keep-alive", "75", "--log-level", "error"]
    server = subprocess.Popen([*command, *options], env={**os.environ})
    try:
        _wait(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(PATIENCE)


def _wait(port: int, server: subprocess.Popen) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("The server did not come up.")


def _wait_for_answer(port: int) -> None:
    """Wait until the server that is to accept on the socket is up: until then a caller just waits."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    connection.close()


class Asker:
    """Asks one server over one connection that stays open."""

    def __init__(self, port: int, headers: dict[str, str] | None = None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.headers = headers or {}

    def seconds(self, path: str) -> float:
        """Ask once; returns how long the whole answer took. Raises RuntimeError unless it is 200."""
        start = time.perf_counter()
        self.connection.request("GET", path, headers=self.headers)
        response = self.connection.getresponse()
        body = response.read()
        taken = time.perf_counter() - start
        if response.status != http.client.OK:
            raise RuntimeError(f"{path}: {response.status} {body[:500]!r}")
        return taken


def in_turn(first: Asker, first_path: str, second: Asker, second_path: str, rounds: int) -> tuple[list, list]:
    """Ask both in turn; returns the seconds of each after a warm-up."""
    for _ in range(WARM):
        first.seconds(first_path), second.seconds(second_path)
    pairs = [(first.seconds(first_path), second.seconds(second_path)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
