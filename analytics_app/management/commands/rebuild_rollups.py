"""`manage.py rebuild_rollups`: forgets the roll-ups of token usage and makes them anew from the facts."""

import json
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from analytics_app.models.rollups import ROLLUPS
from analytics_app.services.rollups import usage_roll_up, usage_rollups_reset
from config.shared.commands import LedgerCommand


class Command(LedgerCommand):
    """Makes the roll-ups anew. Figures stay right meanwhile: they are read from the facts until it is done."""

    help = "Forget the roll-ups of token usage and make them anew from the facts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Rebuild, and say how many rows there are."""
        usage_rollups_reset()
        steps = usage_roll_up(now=timezone.now())
        rows = {str(model._meta.db_table.partition("_app_")[2]): model.objects.count() for model in ROLLUPS}
        if options["json"]:
            self.stdout.write(json.dumps({"steps": steps, "rows": rows}))
        else:
            counted = ", ".join(f"{count:,} rows of {name}" for name, count in rows.items())
            self.stdout.write(f"Rolled up in {steps} steps: {counted}. What is still being recorded follows by itself.")
