"""Registers the app and its readable name with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BackupsAppConfig(AppConfig):
    """Imports of older stores."""

    name = "backups_app"
    verbose_name = _("Keeping")
