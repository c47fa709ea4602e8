"""Ties a process to its parent: when the parent is killed, however hard, the kernel kills the process (Linux only)."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def tie_to_parent() -> Callable[[], None]:
    """Return what the new process has to call first. To be called in the parent, before it forks."""
    if not sys.platform.startswith("linux"):
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have ended before the line above.
        if os.getppid() != parent:
            os._exit(1)

    return tie
