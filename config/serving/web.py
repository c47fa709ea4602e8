"""The web server: gunicorn in threads, with the application loaded before its workers are forked."""

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from config.serving.parts import WEB_GRACE_SECONDS
from config.serving.threads import REQUEST_THREADS, Worker
from config.serving.ties import tie_to_parent

REQUEST_SECONDS = 60
_MEMORY = Path("/dev/shm")  # noqa: S108 (gunicorn makes an unnamed file there)


class WebServer(BaseApplication):
    """Gunicorn with our settings, serving a socket that is listening already."""

    def __init__(self, descriptor: int, workers: int) -> None:
        self._descriptor, self._workers = descriptor, workers
        super().__init__()

    def load_config(self) -> None:
        """Set what `manage.py serve` decides; nothing is read from files or the command line."""
        from django.conf import settings

        chosen: dict[str, Any] = {
            "bind": f"fd://{self._descriptor}",
            "worker_class": Worker,
            "workers": self._workers,
            "threads": REQUEST_THREADS + settings.EVENT_CONNECTIONS,
            "timeout": REQUEST_SECONDS,
            "graceful_timeout": WEB_GRACE_SECONDS,
            "preload_app": True,
            "loglevel": "warning",
            "control_socket_disable": True,
        }
        if _MEMORY.is_dir():
            # The workers' heartbeat file must not be on a disk, whose stalls would look like a hanging worker.
            chosen["worker_tmp_dir"] = str(_MEMORY)
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Load the application whole, so that the workers share its memory and the first request finds it ready."""
        from django.urls import resolve

        from config.wsgi import application

        resolve("/healthz")
        gc.freeze()
        return application


def fork_web_server(descriptor: int, workers: int) -> int:
    """Start the web server as a child that goes on with what this process has loaded; return its process number.

    The caller has no open database connection and one thread only.
    """
    tie = tie_to_parent()
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    os.setsid()
    tie()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    WebServer(descriptor, workers).run()
    os._exit(0)


def main() -> None:
    """Serve, when the supervisor starts the web server again."""
    parser = argparse.ArgumentParser(prog="python -m config.serving.web")
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    arguments = parser.parse_args()
    WebServer(arguments.socket, arguments.workers).run()


if __name__ == "__main__":
    main()
