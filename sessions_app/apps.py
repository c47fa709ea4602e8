"""Registers the app and its readable name with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SessionsAppConfig(AppConfig):
    """Sessions, configuration and knowledge."""

    name = "sessions_app"
    verbose_name = _("Sessions")
