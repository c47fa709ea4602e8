"""The other end of a stream: whether it is still there, and how it is let go when it takes nothing any more."""

import select
import socket

# That the other side has hung up is told apart from data by Linux only; elsewhere a failing heartbeat tells.
_HUNG_UP = getattr(select, "POLLRDHUP", 0)
_ENDED = _HUNG_UP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Peer:
    """The socket of a stream, where the server shows it; without one nothing is known about the other end."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection

    def is_gone(self) -> bool:
        """Return whether the client has hung up."""
        if self._connection is None or not _HUNG_UP:
            return False
        looking = select.poll()
        try:
            looking.register(self._connection, _HUNG_UP)
        except (ValueError, OSError):
            return True
        return any(event & _ENDED for _descriptor, event in looking.poll(0))

    def cut(self) -> None:
        """End the connection, so that a thread that waits for the client to take something fails at once."""
        if self._connection is not None:
            try:
                self._connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # It has ended in the meantime, which is what was wanted.
                return
