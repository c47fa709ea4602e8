"""The small process that stays: `manage.py serve` turns into it when everything is prepared.

It loads neither Django nor the apps, so it costs a few megabytes. The listening socket and the lock come from `serve`
as open descriptors.
"""

import argparse
import os
import sys

from config.env import BASE_DIR
from config.serving import parts
from config.serving.address import Address
from config.serving.greeting import Greeting
from config.serving.supervisor import Supervisor


def main() -> None:
    """Watch over the parts until a signal ends the run."""
    arguments = _arguments()
    address = Address(arguments.host, arguments.port)
    chosen = [parts.web(arguments.socket, arguments.workers)]
    if not arguments.web_only:
        chosen += [parts.worker(), parts.scheduler()]
    greeting = Greeting(address, lambda: _greet(address))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["PYTHONUNBUFFERED"] = "1"
    Supervisor(chosen, say=_say, folder=BASE_DIR, meanwhile=greeting.poll).run()
    _say("AgentLedger has stopped.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m config.serving")
    parser.add_argument("--socket", type=int, required=True)
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
