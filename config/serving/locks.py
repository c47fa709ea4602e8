"""Locks on DATA_DIR: one `serve` at a time runs jobs there, and one at a time prepares the store."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another `serve` holds the lock; the message names its process."""


def running_lock(folder: Path) -> int:
    """Take the lock of the running instance and return its descriptor, which keeps it until the process ends.

    Raises AlreadyRunning: a second scheduler would start every job twice.
    """
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise AlreadyRunning(f"AgentLedger already runs on {folder} (process {holder}).") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


@contextmanager
def preparing_lock(folder: Path) -> Iterator[None]:
    """Wait until nobody else prepares the store, and hold the lock meanwhile."""
    descriptor = os.open(folder / "prepare.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
