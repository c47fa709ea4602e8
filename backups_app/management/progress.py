"""How a command tells how far long work is: a bar on a terminal, and a line for each tenth where there is none."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from backups_app.services.backups.progress import Check, unwatched

TENTHS = 10


@contextmanager
def progress_shown(title: str, *, quiet: bool = False) -> Iterator[Check]:
    """Yield what long work tells its progress to. It goes to standard error: the result stands alone."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[at]}"))
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task(title, total=None, at="")
            yield lambda done=0, total=None, label="": bar.update(task, completed=done, total=total, at=label)
    else:
        yield unwatched if quiet else _Lines(console, title)


class _Lines:
    """A line for each tenth; work that begins again with another total, such as reading back, begins its own lines."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._told: tuple[int | None, int] = (None, 0)

    def __call__(self, done: int = 0, total: int | None = None, label: str = "") -> None:
        told_total, told_tenth = self._told
        tenth = done * TENTHS // total if total else 0
        if tenth > (told_tenth if total == told_total else 0):
            self._told = (total, tenth)
            self._console.print(f"{self._title}: {tenth * TENTHS} % ({label})", highlight=False, soft_wrap=True)
