"""The admin of backups, restores and imports; the front page of the admin is made here too."""

from backups_app.admin import backups, imports  # noqa: F401
