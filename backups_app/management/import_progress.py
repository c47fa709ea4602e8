"""Shows how far an import is: a bar with rate and remaining time on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from backups_app.services.legacy_import.runner import Standing

SECONDS_BETWEEN_LINES = 10.0
MEGABYTE = 1_000_000


def rate(standing: Standing) -> float:
    """Entries a second that this process has brought in."""
    return (standing.entries - standing.passed) / standing.seconds if standing.seconds else 0.0


def remaining(standing: Standing) -> float | None:
    """Seconds until the end, should the rest take as long as what was read; None where that cannot be told."""
    if not standing.bytes_read or not standing.bytes:
        return None
    return standing.seconds * max(standing.bytes - standing.bytes_read, 0) / standing.bytes_read


def told(standing: Standing) -> str:
    """One line: how much, how many, how fast, and how long yet."""
    read, whole = standing.bytes_read / MEGABYTE, standing.bytes / MEGABYTE
    share = f"{min(100, 100 * standing.bytes_read // standing.bytes)} %, " if standing.bytes else ""
    left = remaining(standing)
    rest = "" if left is None else f", about {left:.0f} s left"
    return f"{share}{read:,.1f} of {whole:,.1f} MB, {standing.entries:,} entries, {rate(standing):,.0f}/s{rest}"


@contextmanager
def shown(stream: TextIO) -> Iterator[Callable[[Standing], None]]:
    """Yield what an import tells how far it is."""
    console = Console(file=stream)
    if not console.is_terminal:
        yield Lines(stream)
        return
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        DownloadColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(standing: Standing) -> None:
            left = remaining(standing)
            rest = "" if left is None else f", {left:.0f} s left"
            said = f"{standing.entries:,} entries, {rate(standing):,.0f}/s{rest}"
            bar.update(task, completed=standing.bytes_read, total=standing.bytes, description=said)

        yield tell


class Lines:
    """Plain lines, not more often than every ten seconds: a short import says nothing in between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._last = clock()

    def __call__(self, standing: Standing) -> None:
        """Write a line when it is time for one."""
        now = self._clock()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self._stream.write(f"{told(standing)}\n")
            self._stream.flush()
