"""`manage.py doctor [--repair] [--json]`: is anything wrong in the store?"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from backups_app.services.doctor import Examination, store_examine
from config.shared.callers import SYSTEM
from config.shared.commands import LedgerCommand


class Command(LedgerCommand):
    """Names each fault with its code and place. Exit code 0 only when nothing is wrong, or all was repaired."""

    help = "Look for faults in the store; with --repair put right what can be put right safely."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what may be said."""
        parser.add_argument("--repair", action="store_true", help="put right what can be, each with an audit entry")
        parser.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine and tell."""
        told = None if options["json"] else self._tell
        examination = store_examine(caller=SYSTEM, now=timezone.now(), repair=options["repair"], told=told)
        if options["json"]:
            self.stdout.write(json.dumps(examination.as_json(), ensure_ascii=False))
        else:
            self._sum_up(examination)
        if examination.left:
            sys.exit(1)

    def _tell(self, line: dict[str, Any]) -> None:
        mark = " [repaired]" if line["repaired"] else ""
        self.stdout.write(f"{line['code']}: {line['place']}: {line['detail']}{mark}")

    def _sum_up(self, examination: Examination) -> None:
        for note in examination.notes:
            self.stdout.write(f"note: {note['code']}: {note['place']}: {note['detail']}")
        for code, number in examination.noted.items():
            self.stdout.write(f"{number} × {code}, which is no fault")
        for code, number in examination.found.items():
            self.stdout.write(f"{number} × {code}, {examination.repaired[code]} repaired")
        self.stdout.write(f"Faults that are left: {examination.left}." if examination.left else "Nothing is wrong.")
