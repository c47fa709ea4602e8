"""The admin of import runs and their findings; the front page of the admin is made here too."""

from backups_app.admin import imports  # noqa: F401
