"""Registers the app and its readable name with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HistoryAppConfig(AppConfig):
    """Messages, tasks, calls, usage, errors and metrics."""

    name = "history_app"
    verbose_name = _("History")
