"""Checks that sealed values open with the keys that are configured; nothing of what is in them is told."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from backups_app.services.doctor.findings import Check, Finding, in_ranges
from config.shared.crypto import DecryptionFailed
from sessions_app.models import ProviderKey, SystemConfig


def _opens(open_it: Any) -> bool:
    try:
        open_it()
    except (DecryptionFailed, ValueError):
        return False
    return True


def _provider_keys(now: datetime) -> Iterator[Finding]:
    for part in in_ranges(ProviderKey, ProviderKey.objects.select_related("user_config")):
        for row in part:
            if not _opens(row.reveal):
                place = f"user {row.user_config.user_id}, provider key {row.provider}"
                yield Finding(row.user_config.project_id, place, "no configured key opens it")


def _settings(now: datetime) -> Iterator[Finding]:
    for part in in_ranges(SystemConfig, SystemConfig.objects.exclude(sealed_secrets="")):
        for row in part:
            if not _opens(row.unseal):
                yield Finding(row.project_id, f"setting {row.key}", "no configured key opens its secrets")


CHECKS = (
    Check("provider_key_undecryptable", _provider_keys),
    Check("setting_undecryptable", _settings),
)
