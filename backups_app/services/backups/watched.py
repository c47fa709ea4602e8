"""Long work in a thread of its own, with connections of its own, while its caller is told how far it is."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from django.db import connections

from backups_app.services.backups.progress import Check

Result = TypeVar("Result")
LOOKS_APART_SECONDS = 0.25


class Stopped(Exception):
    """The caller's own look raised something: the work gives up, and the caller raises that."""


class Watch:
    """How far the work is: told by its thread, handed on by the caller's."""

    def __init__(self) -> None:
        self._news: tuple[int, int | None, str] | None = None
        self._stop = threading.Event()
        # While the work locks the whole store, a look that writes there would only wait for it.
        self.undisturbed = False

    def __call__(self, done: int = 0, total: int | None = None, label: str = "") -> None:
        """Note how far the work is (a Check). Raises Stopped when it is to end."""
        self._news = (done, total, label)
        if self._stop.is_set():
            raise Stopped

    def hand_on(self, check: Check) -> None:
        """Tell the caller's look the news, if there are any."""
        news, self._news = self._news, None
        if news is None or self.undisturbed:
            return
        check(*news)

    def stop(self) -> None:
        """End the work, at its next word."""
        self._stop.set()


def watched(work: Callable[[Watch], Result], check: Check) -> Result:
    """Do the work in a thread of its own and return what it returns; `check` is called in this one and may stop it.

    So neither of them is within the other's transactions.
    """
    watch = Watch()

    def in_thread() -> Result:
        try:
            return work(watch)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1, thread_name_prefix="restore") as threads:
        future: Future[Result] = threads.submit(in_thread)
        try:
            while not wait([future], timeout=LOOKS_APART_SECONDS).done:
                watch.hand_on(check)
        except BaseException:
            watch.stop()
            raise
        return future.result()
