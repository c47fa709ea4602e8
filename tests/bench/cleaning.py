"""The processes of the clean-up's benchmark: `python -m tests.bench.cleaning writer|cleaner ...`."""

import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.utils import timezone


def _writer(project: str, name: str) -> None:
    """Append until a line comes in; then tell when each append was done."""
    from history_app.services.recording import record

    stamps: list[float] = []
    while not select.select([sys.stdin], [], [], 0)[0]:
        said = {"record_type": "message", "session_id": name, "role": "user", "content": "word " * 100}
        record(project_id=int(project), fields=said, now=timezone.now())
        stamps.append(time.time())
        if len(stamps) == 50:
            print("ready", flush=True)
    print(*stamps, flush=True)


def _cleaner(at_most: str) -> None:
    """Work in turns until nothing is left; tell the beginning, end and number of each, then the longest transaction."""
    from sessions_app.models import Session
    from sessions_app.services.expiry import sessions_mark_expired
    from sessions_app.services.pace import BACKGROUND_SHARE

    time.sleep(2)
    now, number = timezone.now(), 1
    with _transactions_timed() as taken:
        while number:
            before = Session.objects.expired_at(now).count()
            start = time.time()
            sessions_mark_expired(now=now, at_most=int(at_most), share=BACKGROUND_SHARE)
            end = time.time()
            number = before - Session.objects.expired_at(now).count()
            if number:
                print(start, end, number, flush=True)
                time.sleep(end - start)
    print(1000 * max(taken), flush=True)


@contextmanager
def _transactions_timed() -> Iterator[list[float]]:
    """Note how long each transaction lasts from the moment that it has begun, without the wait for its beginning."""
    taken: list[float] = []
    begun: list[float] = []
    switch: Callable[..., None] = connection.set_autocommit

    def timed(autocommit: bool, *args: Any, **kwargs: Any) -> None:
        switch(autocommit, *args, **kwargs)
        if not autocommit:
            begun.append(time.perf_counter())
        elif begun:
            taken.append(time.perf_counter() - begun.pop())

    connection.set_autocommit = timed  # type: ignore[method-assign]
    try:
        yield taken
    finally:
        connection.set_autocommit = switch  # type: ignore[method-assign]


if __name__ == "__main__":
    import django

    django.setup()
    {"writer": _writer, "cleaner": _cleaner}[sys.argv[1]](*sys.argv[2:])
