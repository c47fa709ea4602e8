"""Private folders for what is needed only while a backup or a restore is at work; those of the dead are removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

_LOCK = "lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make an empty folder (mode 0700) in DATA_DIR, and remove it afterwards.

    It may hold rows in clear, so it lies where the store and its keys lie, never beside the archives. A lock says that
    its process lives; folders that a killed one left are removed on the way.
    """
    parent = Path(settings.DATA_DIR) / "scratch"
    parent.mkdir(mode=0o700, exist_ok=True)
    _remove_dead(parent)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_dead(parent: Path) -> None:
    for folder in parent.iterdir():
        try:
            handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            # Either it is being made at this moment, or it was left before it had its lock; it is empty in both cases.
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
