"""The small process that stays: `manage.py serve` turns into it when everything is prepared.

It loads neither Django nor the apps, so it costs a few megabytes. The listening socket and the lock come from `serve`
as open descriptors, and the web server is its child already.
"""

import argparse
import os
import sys
from pathlib import Path

from config.serving import parts
from config.serving.address import Address
from config.serving.greeting import Greeting
from config.serving.supervisor import Adopted, Supervisor


def main() -> None:
    """Watch over the parts until a signal ends the run."""
    arguments = _arguments()
    address = Address(arguments.host, arguments.port)
    web = parts.web(arguments.socket, arguments.workers)
    chosen = [web] if arguments.web_only else [web, parts.worker(), parts.scheduler()]
    greeting = Greeting(address, lambda: _greet(address))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["PYTHONUNBUFFERED"] = "1"
    adopted = {web.name: Adopted(arguments.web)}
    Supervisor(chosen, say=_say, folder=Path.cwd(), adopted=adopted, meanwhile=greeting.poll).run()
    _say("AgentLedger has stopped.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.serving")
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--web", type=int, required=True, help="process number of the web server, a child already")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--web-only", action="store_true")
    return parser.parse_args()


def _greet(address: Address) -> None:
    _say(f"AgentLedger is ready:  {address.url}admin/")
    _say(f"API documentation:     {address.url}api/docs/")
    _say("Press Ctrl-C to stop.")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
