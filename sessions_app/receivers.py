"""What follows a migration (the default project with its settings, the groups of staff), and what a start checks."""

from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.db.models.signals import post_delete, post_migrate, post_save
from django.dispatch import receiver
from django.utils import timezone

from sessions_app.models import ApiKey
from sessions_app.services.api_keys import keys_forget
from sessions_app.services.connectors.registry import connector_names
from sessions_app.services.groups import groups_ensure
from sessions_app.services.projects import default_project_ensure
from sessions_app.services.session_counts import session_counts_repair


@register("agentledger")
def connectors_are_there(**_: Any) -> list[CheckMessage]:
    """Every connector that the settings name is installed, and RAGFlow's knows where to and with which key."""
    installed = connector_names()
    faults: list[CheckMessage] = [
        Error(
            f"CONNECTORS names {name!r}, which is not installed.",
            hint=f"There are: {', '.join(sorted(installed))}.",
            id="agentledger.E010",
        )
        for name in settings.CONNECTORS
        if name not in installed
    ]
    reachable = urlsplit(settings.RAGFLOW_URL)
    if "ragflow" in settings.CONNECTORS and not (
        reachable.scheme in ("http", "https") and reachable.hostname and settings.RAGFLOW_API_KEY
    ):
        hint = "Set RAGFLOW_URL to http:// or https:// and a host, and RAGFLOW_API_KEY or RAGFLOW_API_KEY_FILE."
        faults.append(Error("The connector ragflow has no usable address or key.", hint=hint, id="agentledger.E011"))
    return faults


@receiver(post_migrate, dispatch_uid="sessions_app.furnish")
def furnish(sender: AppConfig, plan: Any = None, **_: Any) -> None:
    """Make what every installation has; safe after every migration, and after a flush."""
    # A migration backwards may have taken the tables away.
    if any(backwards for _migration, backwards in plan or ()):
        return
    groups_ensure(app_config=sender)
    if sender.label == "sessions_app":
        default_project_ensure(now=timezone.now())
        # A flush, or a restore that switches triggers off, leaves them wrong.
        session_counts_repair()


@receiver((post_save, post_delete), sender=ApiKey, dispatch_uid="sessions_app.forget_keys")
def forget_keys(**_: Any) -> None:
    """Let a key that was changed in the admin lose its former power at once in this process."""
    keys_forget()
