"""Gunicorn's worker in threads, as we run it: streams of events take no place of a request, and end when it stops."""

import os
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from config.shared.web_process import web_process

# How many requests a process answers at once; open streams of events have threads besides.
REQUEST_THREADS = 8


class Worker(ThreadWorker):
    """One web process."""

    def init_process(self) -> None:
        """Tell the code that is served what it may use of this process, and serve until the end."""
        web_process.places.limit(REQUEST_THREADS)
        web_process.is_stopping = lambda: not self.alive or self.ppid != os.getppid()
        super().init_process()

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request as soon as there is a place for it."""
        with web_process.places.taken():
            return super().handle_request(req, conn)
