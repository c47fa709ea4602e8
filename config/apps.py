"""The frame's own app: registers checks and the Celery application when Django starts."""

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """The frame: settings, urls, Celery, schedule and health. It has no tables."""

    name = "config"
    verbose_name = "AgentLedger"

    def ready(self) -> None:
        """Load the system checks, the migration time limits and the Celery application."""
        from config import celery, checks, migration_limits  # noqa: F401
