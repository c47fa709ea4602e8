"""Registers the app and its readable name with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AnalyticsAppConfig(AppConfig):
    """What the store holds, added up."""

    name = "analytics_app"
    verbose_name = _("Analytics")
