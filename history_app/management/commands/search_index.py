"""`manage.py search_index`: fills the search index now, builds it anew, or says how far it is."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from config.shared.commands import LedgerCommand
from history_app.services.search_index.filling import search_index_fill, search_index_reset
from history_app.services.search_index.standing import search_index_status

SECONDS_PER_STEP = 2.0


class Command(LedgerCommand):
    """Fills the search index until nothing more can be taken in. Safe to run at any time, and beside the job."""

    help = "Fill the search index, build it anew, or say how far it is. Searches are exact all the while."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what can be asked."""
        asked = parser.add_mutually_exclusive_group()
        asked.add_argument("--rebuild", action="store_true", help="forget the index first, and build it anew")
        asked.add_argument("--status", action="store_true", help="only say how far it is")
        parser.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked and print how the index stands."""
        if options["rebuild"]:
            search_index_reset()
        if not options["status"]:
            self._fill()
        standing = search_index_status()
        if options["json"]:
            self.stdout.write(json.dumps([{**asdict(one), "waiting": one.waiting} for one in standing]))
            return
        for one in standing:
            self.stdout.write(
                f"{one.record_type:<10} indexed up to {one.watermark:,} of {one.highest:,}, {one.waiting:,} waiting, "
                f"{one.changed:,} changed since, {one.blocks:,} blocks, {one.stored_bytes / 1e6:,.1f} MB"
            )

    def _fill(self) -> None:
        console = Console(stderr=True)
        with Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), console=console, disable=not console.is_terminal, transient=True,
        ) as bar:  # fmt: skip
            tasks = {one.record_type: bar.add_task(one.record_type, total=one.highest) for one in search_index_status()}
            while True:
                done = search_index_fill(now=timezone.now(), seconds=SECONDS_PER_STEP)
                for one in search_index_status():
                    bar.update(tasks[one.record_type], completed=one.watermark, total=one.highest)
                if not done.added and not done.rebuilt:
                    return
