"""The frame's own app: registers checks and the Celery application when Django starts."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.module_loading import autodiscover_modules


class ConfigConfig(AppConfig):
    """The frame: settings, urls, Celery, schedule and health. It has no tables."""

    name = "config"
    verbose_name = "AgentLedger"

    def ready(self) -> None:
        """Load the system checks, the migration time limits and the Celery application, and teach SQLite exact sums."""
        from config import celery, checks, migration_limits  # noqa: F401
        from config.shared.fields import register_exact_sum

        autodiscover_modules("jobs")

        connection_created.connect(register_exact_sum, dispatch_uid="exact_sum")
