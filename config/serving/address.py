"""The address that is served: read from the command line, and taken before anything else starts."""

import errno
import re
import socket
from dataclasses import dataclass

DEFAULT_PORT = 8000
BACKLOG = 2048
HIGHEST_PORT = 65535
_TYPED = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*)(?::(?P<port>[0-9]+))?")
_NO_ADDRESS = "{!r} is no address. Write host:port, such as 127.0.0.1:8000."
# Every interface, and how this machine itself comes in there.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (only where the owner asks for it)


class AddressError(Exception):
    """The address can't be used; the message says why in one line."""


@dataclass(frozen=True)
class Address:
    """A host (name or number) and a port; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_everywhere(self) -> bool:
        """Whether this is every interface of the machine."""
        return self.host in _EVERYWHERE

    @property
    def local_host(self) -> str:
        """The host by which this machine reaches the address."""
        return _EVERYWHERE.get(self.host, self.host)

    @property
    def url(self) -> str:
        """The address to type into a browser on this machine."""
        return f"http://{Address(self.local_host, self.port)}/"


def address_from_text(text: str) -> Address:
    """Read `host:port`, `[v6]:port`, `:port`, `host` or `port`; raises AddressError for anything else."""
    found = _TYPED.fullmatch(text)
    if not text or found is None:
        raise AddressError(_NO_ADDRESS.format(text))
    host, port = found["host"].strip("[]"), found["port"]
    if port is None and host.isdigit():
        host, port = "127.0.0.1", host
    number = int(port or DEFAULT_PORT)
    if number > HIGHEST_PORT:
        raise AddressError(_NO_ADDRESS.format(text))
    return Address(host or "0.0.0.0", number)  # noqa: S104 (no host means every interface, as elsewhere)


def listening_socket(address: Address) -> tuple[socket.socket, Address]:
    """Take the address and return its listening socket with the address that it really has.

    The socket is held for the whole run, so that callers wait for a moment, instead of being refused, while the web
    server starts again. Raises AddressError when the address is taken or not of this machine.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address.host, address.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise AddressError(_reason(address, error)) from error
    return listener, Address(address.host, listener.getsockname()[1])


def _reason(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        another = Address(address.host, address.port + 1)
        return f"{address} is used by another program. Stop it, or choose another address: --bind {another}"
    return f"{address} can't be served: {error.strerror or error}"
