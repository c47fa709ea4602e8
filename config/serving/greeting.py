"""Watches for the first answer of the web server, and then says where AgentLedger is."""

import select
import socket
from collections.abc import Callable

from config.serving.address import Address

_REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"


class Greeting:
    """Asks once, never blocks, and calls `greet` when the answer begins."""

    def __init__(self, address: Address, greet: Callable[[], None]):
        self._address, self._greet = address, greet
        self._socket: socket.socket | None = None
        self._done = False

    def poll(self) -> None:
        """Look whether the answer is there; ask (again) where no question is open."""
        if self._done:
            return
        if self._socket is None:
            self._ask()
        elif select.select([self._socket], [], [], 0)[0]:
            self._hear(self._socket)

    def _ask(self) -> None:
        # The socket is listening already, so this succeeds at once; the answer comes when the web server is there.
        self._socket = socket.create_connection((self._address.local_host, self._address.port), timeout=1)
        self._socket.sendall(_REQUEST)

    def _hear(self, asked: socket.socket) -> None:
        try:
            answered = bool(asked.recv(64))
        except ConnectionError:
            answered = False
        asked.close()
        self._socket = None
        if answered:
            self._done = True
            self._greet()
