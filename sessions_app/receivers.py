"""What follows a migration: the default project with its settings, and the groups of staff."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete, post_migrate, post_save
from django.dispatch import receiver
from django.utils import timezone

from sessions_app.models import ApiKey
from sessions_app.services.api_keys import keys_forget
from sessions_app.services.groups import groups_ensure
from sessions_app.services.projects import default_project_ensure


@receiver(post_migrate, dispatch_uid="sessions_app.furnish")
def furnish(sender: AppConfig, plan: Any = None, **_: Any) -> None:
    """Make what every installation has; safe after every migration, and after a flush."""
    # A migration backwards may have taken the tables away.
    if any(backwards for _migration, backwards in plan or ()):
        return
    groups_ensure(app_config=sender)
    if sender.label == "sessions_app":
        default_project_ensure(now=timezone.now())


@receiver((post_save, post_delete), sender=ApiKey, dispatch_uid="sessions_app.forget_keys")
def forget_keys(**_: Any) -> None:
    """Let a key that was changed in the admin lose its former power at once in this process."""
    keys_forget()
