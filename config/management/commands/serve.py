"""`manage.py serve`: the whole of AgentLedger with one command."""

import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from config.env import BASE_DIR, env
from config.serving.address import Address, AddressError, address_from_text, listening_socket
from config.serving.locks import AlreadyRunning, running_lock
from config.serving.preparation import prepare
from config.serving.web import fork_web_server
from config.shared.commands import LedgerCommand


class Command(LedgerCommand):
    """Prepares the store, then becomes the small process that keeps web server, worker and scheduler running."""

    help = "Serve AgentLedger: web server, worker and scheduler. The first start makes the database and a login."
    # Checks of the admin and the urls cost a second and are the developer's; `manage.py check` runs them all.
    requires_system_checks = ["agentledger"]

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--bind", default="127.0.0.1:8000", help="host:port to serve (default: %(default)s)")
        parser.add_argument(
            "--workers", type=int, default=_default_workers(), help="web server processes (default: %(default)s)"
        )
        parser.add_argument("--web-only", action="store_true", help="serve pages and API only, run no jobs")

    def handle(self, *args, **options) -> None:
        """Prepare, then hand over to the supervisor; returns only by an exception."""
        if options["workers"] < 1:
            raise CommandError("--workers must be at least 1.")
        try:
            if not options["web_only"]:
                os.set_inheritable(running_lock(settings.DATA_DIR), True)
            listener, address = listening_socket(address_from_text(options["bind"]))
            prepare(self._say)
        except (AddressError, AlreadyRunning) as error:
            raise CommandError(str(error)) from error
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {_first_line(error)}") from error
        self._introduce(address)
        os.set_inheritable(listener.fileno(), True)
        _become_supervisor(listener.fileno(), address, options)

    def _introduce(self, address: Address) -> None:
        self._say(f"Data is kept in {_short(settings.DATA_DIR)}/")
        self._say(f"A key for your agent: {_short(Path(sys.executable))} manage.py api_key create my-agent")
        if address.is_everywhere and "ALLOWED_HOSTS" not in env.ENVIRON:
            self._say("Callers from other machines need their name for this one in ALLOWED_HOSTS (see .env.example).")
        self._say("Starting ...")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _become_supervisor(descriptor: int, address: Address, options: dict) -> None:
    os.chdir(BASE_DIR)
    web_server = fork_web_server(descriptor, options["workers"])
    command = [sys.executable, "-m", "config.serving", f"--socket={descriptor}", f"--web={web_server}"]
    command += [f"--host={address.host}", f"--port={address.port}", f"--workers={options['workers']}"]
    command += ["--web-only"] if options["web_only"] else []
    os.execv(sys.executable, command)  # noqa: S606 (no shell is wanted)


def _default_workers() -> int:
    """One process serves the embedded default, whose database takes one writer at a time anyway."""
    return 1 if settings.EMBEDDED_DATABASE else 2


def _short(path: Path) -> str:
    """Write a path as people would type it in the project's folder."""
    return str(path.relative_to(BASE_DIR)) if path.is_relative_to(BASE_DIR) else str(path)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
