"""Serve any WSGI application as `manage.py serve` serves ours: `python -m tests.bench.server APPLICATION`.

The listening socket comes as a descriptor, so both contenders have the same gunicorn with the same settings.
"""

import argparse
import gc
from collections.abc import Callable
from importlib import import_module
from typing import Any

from config.serving.web import WebServer


class BenchServer(WebServer):
    """Our web server with another application in it."""

    def __init__(self, descriptor: int, workers: int, module: str) -> None:
        self._module = module
        super().__init__(descriptor, workers)

    def load(self) -> Callable[..., Any]:
        """Load the application before the workers are forked, as ours is."""
        from django.urls import get_resolver

        application: Callable[..., Any] = import_module(self._module).application
        # Loads the addresses with the views behind them.
        _ = get_resolver().url_patterns
        gc.freeze()
        return application


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server", description=__doc__)
    parser.add_argument("module")
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    arguments = parser.parse_args()
    BenchServer(arguments.socket, arguments.workers, arguments.module).run()


if __name__ == "__main__":
    main()
