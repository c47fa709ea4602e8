"""Long work in a thread of its own, with connections of its own, and how its caller is told how far it is."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from django.db import connections

from backups_app.services.backups.progress import Check

Result = TypeVar("Result")
LOOKS_APART_SECONDS = 0.25
WORD_SECONDS = 0.01


class Stopped(Exception):
    """The caller's own look raised something: the work gives up, and the caller raises that."""


class Watch:
    """How far the work is: told by its thread, handed on by the caller's."""

    def __init__(self) -> None:
        self._news: tuple[int, int | None, str] | None = None
        self._stop = threading.Event()
        self._is_handing_on = False
        # While the work locks the whole store, a look that writes there would only wait for it.
        self.undisturbed = False

    def __call__(self, done: int = 0, total: int | None = None, label: str = "") -> None:
        """Note how far the work is (a Check). Raises Stopped when it is to end."""
        self._news = (done, total, label)
        if self._stop.is_set():
            raise Stopped

    def fall_silent(self) -> None:
        """Wait until the last word has been handed on, and hand on nothing after it. Raises Stopped."""
        while not self._stop.wait(WORD_SECONDS):
            if self._news is None and not self._is_handing_on:
                self.undisturbed = True
                return
        raise Stopped

    def hand_on(self, check: Check) -> None:
        """Tell the caller's look the news, if there are any."""
        # Said before the news are taken, so that they are always seen in one of the two places.
        self._is_handing_on = True
        news, self._news = self._news, None
        if news is not None and not self.undisturbed:
            check(*news)
        self._is_handing_on = False

    def stop(self) -> None:
        """End the work, at its next word."""
        self._stop.set()


def watched(work: Callable[[Watch], Result], check: Check) -> Result:
    """Do the work in a thread of its own and return what it returns; `check` is called in this one and may stop it.

    So neither of them is within the other's transactions.
    """
    watch = Watch()
    with ThreadPoolExecutor(1, thread_name_prefix="restore") as threads:
        future: Future[Result] = threads.submit(_with_own_connections, lambda: work(watch))
        try:
            while not wait([future], timeout=LOOKS_APART_SECONDS).done:
                watch.hand_on(check)
        except BaseException:
            watch.stop()
            raise
        return future.result()


def apart(work: Callable[[Check], Result], check: Check) -> Result:
    """Do the work in a thread of its own and return what it returns; `check` is called there, and may stop it.

    An interrupt of the caller stops it, too, at its next word.
    """
    over = threading.Event()

    def looked(done: int = 0, total: int | None = None, label: str = "") -> None:
        if over.is_set():
            raise Stopped
        check(done, total, label)

    with ThreadPoolExecutor(1, thread_name_prefix="backup") as threads:
        future = threads.submit(_with_own_connections, lambda: work(looked))
        try:
            return future.result()
        except BaseException:
            over.set()
            raise


def _with_own_connections(work: Callable[[], Result]) -> Result:
    try:
        return work()
    finally:
        connections.close_all()
