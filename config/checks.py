"""System checks: mistakes of configuration, each with an id and a hint."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from config.filesystems import network_filesystem
from config.shared.crypto import encrypt

# `manage.py serve` runs the checks under this tag before it starts.
OWN = "agentledger"


@register(OWN)
def secrets_are_given(**_: Any) -> list[CheckMessage]:
    """Outside of the embedded default nothing makes secrets up: they must be given."""
    messages: list[CheckMessage] = []
    # The wrapper of the settings raises on an empty SECRET_KEY; the value behind it can be looked at.
    if not settings._wrapped.SECRET_KEY:  # type: ignore[misc]
        messages.append(
            Error("SECRET_KEY is not set.", hint="Set SECRET_KEY or SECRET_KEY_FILE.", id="agentledger.E001")
        )
    hint = "Set FIELD_ENCRYPTION_KEYS or FIELD_ENCRYPTION_KEYS_FILE to id:base64 of 32 random bytes."
    if not settings.FIELD_ENCRYPTION_KEYS:
        messages.append(Error("FIELD_ENCRYPTION_KEYS is not set.", hint=hint, id="agentledger.E002"))
    elif not _field_keys_work():
        messages.append(Error("FIELD_ENCRYPTION_KEYS holds what is no key.", hint=hint, id="agentledger.E004"))
    return messages


def _field_keys_work() -> bool:
    try:
        encrypt("", "system check")
    except (ImproperlyConfigured, ValueError):
        return False
    return True


@register(OWN)
def sqlite_is_on_a_local_disk(**_: Any) -> list[CheckMessage]:
    """SQLite's locks do not hold on network file systems, and a database there gets corrupted."""
    if not settings.EMBEDDED_DATABASE:
        return []
    kind = network_filesystem(settings.DATABASES["default"]["NAME"])
    if kind is None:
        return []
    hint = "Set DATA_DIR to a folder on a local disk, or DATABASE_URL to PostgreSQL or MariaDB."
    return [Error(f"The SQLite database is on a network file system ({kind}).", hint=hint, id="agentledger.E003")]


@register(OWN, deploy=True)
def broker_is_a_server(**_: Any) -> list[CheckMessage]:
    """The embedded broker serves one machine only."""
    if settings.EMBEDDED_DATABASE or not settings.EMBEDDED_BROKER:
        return []
    hint = "Set REDIS_URL or CELERY_BROKER_URL."
    return [CheckWarning("The embedded broker is used with a database server.", hint=hint, id="agentledger.W001")]


@register(OWN)
def document_backends_are_known(**_: Any) -> list[CheckMessage]:
    """A namespace on a backend that nobody knows would fail at its first document."""
    from sessions_app.services.documents.backends import backend_faults

    hint = "DOCUMENT_BACKENDS names database, redis, files, or what a package brings as agentledger.document_backends."
    return [Error(fault, hint=hint, id="agentledger.E010") for fault in backend_faults()]
