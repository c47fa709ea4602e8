"""Registers the app, its readable name and its receivers with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SessionsAppConfig(AppConfig):
    """Sessions, configuration and knowledge."""

    name = "sessions_app"
    verbose_name = _("Sessions")

    def ready(self) -> None:
        """Load the receivers."""
        from sessions_app import receivers  # noqa: F401
