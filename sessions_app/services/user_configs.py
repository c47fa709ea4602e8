"""End users of the agents: their preferences, and the provider keys that they brought."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput, NotFound
from config.shared.merging import merge_patch
from config.shared.querysets import row_locked
from config.shared.versions import version_check
from sessions_app.models import ProviderKey, UserConfig
from sessions_app.services.audit import audit_record
from sessions_app.services.drafts import max_length

ATTEMPTS = 3


def user_config_create(*, project_id: int, user_id: str, now: datetime, caller: Caller, **values: Any) -> UserConfig:
    """Make a user's configuration; `values` are those of user_config_save. Raises Conflict when there is one."""
    with transaction.atomic():
        row, created = user_config_save(project_id=project_id, user_id=user_id, now=now, caller=caller, **values)
        if not created:
            # Leaving the block by an error undoes the write.
            raise Conflict("There is a configuration of this user already.")
    return row


def user_config_save(
    *,
    project_id: int,
    user_id: str,
    preferences: Mapping[str, Any] | None = None,
    api_keys: Mapping[str, str | None] | None = None,
    merge: bool = False,
    now: datetime,
    caller: Caller,
    expected_version: int | None = None,
    brought: Mapping[str, Any] | None = None,
) -> tuple[UserConfig, bool]:
    """Create or change one user's configuration; return it and whether it is new.

    Preferences are replaced, or with `merge` merged (RFC 7396); None leaves them. `api_keys` are set by provider; a
    provider with None loses its key, one that is not named keeps it. `brought` is what only an import states:
    `brought_in`, `created_at`, `updated_at`. Raises InvalidInput, StaleVersion.
    """
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                row, created = _save(
                    project_id, user_id, preferences, merge, now, caller, expected_version, brought or {}
                )
                for provider, secret in (api_keys or {}).items():
                    if secret is None:
                        provider_key_delete(user_config=row, provider=provider, now=now, caller=caller)
                    else:
                        provider_key_set(user_config=row, provider=provider, secret=secret, now=now, caller=caller)
                return row, created
        except IntegrityError:
            # Somebody else made the row in between: then this comes after theirs.
            continue
    raise Conflict("Too many writers change this user at once.")


def _save(  # noqa: PLR0917 - the parts of one call of user_config_save
    project_id: int,
    user_id: str,
    preferences: Mapping[str, Any] | None,
    merge: bool,
    now: datetime,
    caller: Caller,
    expected: int | None,
    brought: Mapping[str, Any],
) -> tuple[UserConfig, bool]:
    row = UserConfig.objects.select_for_update().filter(project_id=project_id, user_id=user_id).first()
    version_check(current=row.version if row else None, expected=expected)
    created = row is None
    row = row or UserConfig(project_id=project_id, user_id=user_id, version=0, created_at=now)
    if preferences is not None:
        row.preferences = merge_patch(row.preferences, preferences) if merge else dict(preferences)
    row.version += 1
    row.updated_at = now
    for name, value in brought.items():
        setattr(row, name, value)
    row.save(force_insert=created, force_update=not created)
    # Preferences are contents: the audit tells which were written, not what they say.
    changes = {"preferences": sorted(preferences)} if preferences is not None else {}
    _audit(row, "user_config.create" if created else "user_config.update", changes, caller, now)
    return row, created


@transaction.atomic
def user_config_delete(
    *, user_config: UserConfig, now: datetime, caller: Caller, expected_version: int | None = None
) -> None:
    """Remove a user's configuration with the provider keys. Raises StaleVersion."""
    current = row_locked(user_config)
    version_check(current=current.version, expected=expected_version)
    providers = sorted(current.provider_keys.values_list("provider", flat=True))
    current.delete()
    _audit(current, "user_config.delete", {"api_keys": providers}, caller, now)


@transaction.atomic
def provider_key_set(
    *, user_config: UserConfig, provider: str, secret: str, now: datetime, caller: Caller
) -> ProviderKey:
    """Keep a user's key of a provider, sealed, in place of the one before it. Raises InvalidInput."""
    if not secret:
        raise InvalidInput.at(f"/api_keys/{provider}", "The key is empty.")
    if not 0 < len(provider) <= max_length(ProviderKey, "provider"):
        raise InvalidInput.at("/api_keys", "A provider's name has 1 to 100 characters.")
    key = ProviderKey.objects.select_for_update().filter(user_config=user_config, provider=provider).first()
    created = key is None
    key = key or ProviderKey(user_config=user_config, provider=provider, created_at=now)
    key.updated_at = now
    key.seal(secret)
    key.save(force_insert=created, force_update=not created)
    _audit(user_config, "provider_key.set", {"provider": provider}, caller, now)
    return key


@transaction.atomic
def provider_key_delete(*, user_config: UserConfig, provider: str, now: datetime, caller: Caller) -> None:
    """Forget a user's key of a provider; where there is none, nothing happens."""
    deleted, _by_model = ProviderKey.objects.filter(user_config=user_config, provider=provider).delete()
    if deleted:
        _audit(user_config, "provider_key.delete", {"provider": provider}, caller, now)


def provider_key_reveal(*, user_config: UserConfig, provider: str, now: datetime, caller: Caller) -> str:
    """Return a key in clear. The audit entry is committed before: no entry, no key. Raises NotFound."""
    with transaction.atomic():
        key = ProviderKey.objects.filter(user_config=user_config, provider=provider).first()
        if key is None:
            raise NotFound
        _audit(user_config, "provider_key.reveal", {"provider": provider}, caller, now)
    return key.reveal()


def _audit(row: UserConfig, action: str, changes: Mapping[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=row.project_id,
        caller=caller,
        action=action,
        target_type="user_config",
        target_id=row.user_id,
        changes=changes,
        now=now,
    )
