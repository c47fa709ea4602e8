"""System settings of a project: typed values, with the secrets in them sealed and masked."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop as _

from config.shared.callers import SYSTEM, Caller
from config.shared.errors import Conflict, InvalidInput, NotFound
from config.shared.querysets import row_locked
from config.shared.versions import version_check
from sessions_app.models import ConfigVersion, SystemConfig
from sessions_app.services.audit import ACTOR_LENGTH, audit_record
from sessions_app.services.config_secrets import secrets_taken_out, told_of

Type = SystemConfig.ValueType
ATTEMPTS = 3


def value_type_of(value: Any) -> str:
    """Return the type that a value has by itself."""
    if isinstance(value, bool):
        return Type.BOOLEAN
    kinds: list[tuple[type, str]] = [(int, Type.INTEGER), (float, Type.NUMBER), (str, Type.TEXT)]
    return next((kind for python, kind in kinds if isinstance(value, python)), Type.JSON)


def value_check(value: Any, value_type: str) -> None:
    """Raise InvalidInput unless the value is of the type."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        Type.TEXT: isinstance(value, str),
        Type.INTEGER: is_number and isinstance(value, int),
        Type.NUMBER: is_number and math.isfinite(value),
        Type.BOOLEAN: isinstance(value, bool),
        Type.JSON: True,
    }
    if value_type not in fits:
        raise InvalidInput.at("/value_type", f"The type is one of: {', '.join(Type.values)}.")
    if not fits[Type(value_type)]:
        raise InvalidInput.at("/value", f"The value is not of the type {value_type}.")


def config_create(*, project_id: int, key: str, now: datetime, caller: Caller, **values: Any) -> SystemConfig:
    """Make a setting; `values` are those of config_set. Raises Conflict when the key is set already."""
    with transaction.atomic():
        config, created = config_set(project_id=project_id, key=key, now=now, caller=caller, **values)
        if not created:
            # Leaving the block by an error undoes the write.
            raise Conflict("This key is set already.")
    return config


def config_set(
    *,
    project_id: int,
    key: str,
    value: Any,
    value_type: str | None = None,
    section: str | None = None,
    description: str | None = None,
    secrets: Mapping[str, Any] | None = None,
    now: datetime,
    caller: Caller,
    expected_version: int | None = None,
) -> tuple[SystemConfig, bool]:
    """Set a value under a key; return the setting and whether it is new.

    Without `value_type` a stored setting keeps its type and a new one takes the value's. `secrets`, by JSON pointer
    into the value, are sealed and masked, as is what stands under a name such as `api_key`; a mask that is written
    back leaves the secret behind it as it was. Raises InvalidInput, StaleVersion.
    """
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _set(
                    project_id,
                    key,
                    value,
                    {"value_type": value_type, "section": section, "description": description},
                    dict(secrets or {}),
                    now,
                    caller,
                    expected_version,
                )
        except IntegrityError:
            # Somebody else set the key first: then this comes after theirs.
            continue
    raise Conflict("Too many writers set this key at once.")


def _set(  # noqa: PLR0917 - the parts of one call of config_set
    project_id: int,
    key: str,
    value: Any,
    stated: dict[str, Any],
    secrets: dict[str, Any],
    now: datetime,
    caller: Caller,
    expected: int | None,
) -> tuple[SystemConfig, bool]:
    config = SystemConfig.objects.select_for_update().filter(project_id=project_id, key=key).first()
    version_check(current=config.version if config else None, expected=expected)
    created = config is None
    if config is None:
        last = _last_version(project_id, key)
        config = SystemConfig(project_id=project_id, key=key, version=last, created_at=now, value_type="")
    before = {} if created else told_of(config)
    for name, given in stated.items():
        if given is not None:
            setattr(config, name, given)
    config.value_type = config.value_type or value_type_of(value)
    value_check(value, config.value_type)
    config.value, sealed = secrets_taken_out(key, value, secrets, {} if created else config.unseal())
    config.seal(sealed)
    config.version += 1
    config.updated_at = now
    config.save(force_insert=created, force_update=not created)
    _version_of(config, caller, now).save(force_insert=True)
    changes = {"before": before, "after": told_of(config)}
    _audit(config, "config.create" if created else "config.update", changes, caller, now)
    return config, created


@transaction.atomic
def config_delete(*, config: SystemConfig, now: datetime, caller: Caller, expected_version: int | None = None) -> None:
    """Remove a setting. Raises StaleVersion."""
    current = row_locked(config)
    version_check(current=current.version, expected=expected_version)
    current.delete()
    current.version += 1
    _version_of(current, caller, now, is_removed=True).save(force_insert=True)
    _audit(current, "config.delete", {"before": told_of(current)}, caller, now)


def config_rollback(
    *, project_id: int, key: str, version: int, now: datetime, caller: Caller, expected_version: int | None = None
) -> SystemConfig:
    """Set what a former version was, secrets included; the way back is a change like any other.

    Raises NotFound, StaleVersion, and Conflict for a version that is the removal of the setting.
    """
    former = ConfigVersion.objects.filter(project_id=project_id, key=key, version=version).first()
    if former is None:
        raise NotFound
    if former.is_removed:
        raise Conflict("This version is the removal of the setting: delete it instead.")
    return config_put_back(former=former, now=now, caller=caller, expected_version=expected_version)


def config_put_back(
    *, former: ConfigVersion, now: datetime, caller: Caller, expected_version: int | None = None
) -> SystemConfig:
    """Set a setting to what one of its versions says. Raises StaleVersion, DecryptionFailed."""
    config, _created = config_set(
        project_id=former.project_id,
        key=former.key,
        value=former.value,
        value_type=former.value_type,
        section=former.section,
        description=former.description,
        secrets=former.unseal(),
        now=now,
        caller=caller,
        expected_version=expected_version,
    )
    return config


def _last_version(project_id: int, key: str) -> int:
    """Return the last version that a removed setting had: versions go on, so that none comes twice."""
    rows = ConfigVersion.objects.filter(project_id=project_id, key=key).order_by("-version")
    return rows.values_list("version", flat=True).first() or 0


def _version_of(config: SystemConfig, caller: Caller, now: datetime, *, is_removed: bool = False) -> ConfigVersion:
    same = ("project_id", "key", "version", "section", "value_type", "value", "sealed_secrets", "description")
    values = {name: getattr(config, name) for name in same}
    return ConfigVersion(
        **values, is_removed=is_removed, at=now, actor_kind=caller.kind, actor=caller.name[:ACTOR_LENGTH]
    )


# Document 002, "ConfigManager": the settings that every system starts with.
DEFAULTS: tuple[tuple[str, str, Any, str], ...] = (
    ("llm_model", Type.TEXT, "openai/gpt-4o", _("The model that agents use unless told otherwise.")),
    ("llm_temperature", Type.NUMBER, 0.7, _("Sampling temperature.")),
    ("llm_max_tokens", Type.INTEGER, 4000, _("Tokens of an answer at most.")),
    ("rag_enabled", Type.BOOLEAN, True, _("Whether agents look things up in knowledge sources.")),
    ("rag_top_k", Type.INTEGER, 5, _("How many passages a look-up brings.")),
    ("mcp_server_timeout", Type.INTEGER, 30, _("Seconds to wait for an MCP server.")),
    ("max_subtasks", Type.INTEGER, 20, _("Subtasks of a task at most.")),
    ("info_gathering_max_rounds", Type.INTEGER, 5, _("Rounds of gathering information at most.")),
    ("auto_validation", Type.BOOLEAN, False, _("Whether results are validated without being asked.")),
    ("log_level", Type.TEXT, "INFO", _("What agents log.")),
)


def configs_seed(*, project_id: int, now: datetime) -> int:
    """Give a project the defaults of document 002 that it lacks, and return how many.

    A set value is never touched, and a default that was removed stays removed.
    """
    there = set(SystemConfig.objects.filter(project_id=project_id).values_list("key", flat=True))
    there |= set(ConfigVersion.objects.filter(project_id=project_id).values_list("key", flat=True).distinct())
    rows = [
        SystemConfig(
            project_id=project_id,
            key=key,
            value_type=value_type,
            value=value,
            description=description,
            created_at=now,
            updated_at=now,
        )
        for key, value_type, value, description in DEFAULTS
        if key not in there
    ]
    with transaction.atomic():
        SystemConfig.objects.bulk_create(rows, ignore_conflicts=True)
        versions = [_version_of(row, SYSTEM, now) for row in rows]
        ConfigVersion.objects.bulk_create(versions, ignore_conflicts=True)
    return len(rows)


def _audit(config: SystemConfig, action: str, changes: Mapping[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=config.project_id,
        caller=caller,
        action=action,
        target_type="config",
        target_id=config.key,
        changes=changes,
        now=now,
    )
