"""`manage.py sync_schedule`: brings the periodic jobs into the tables that the scheduler reads."""

from config.schedule_sync import schedule_synchronise
from config.shared.commands import LedgerCommand


class Command(LedgerCommand):
    """Needed only where `manage.py serve` is not used; running it again changes nothing."""

    help = "Write the periodic jobs of config/schedule.py into the scheduler's tables."

    def handle(self, *args, **options) -> None:
        """Synchronise and say how many rows were written."""
        self.stdout.write(f"{schedule_synchronise()} periodic jobs written.")
