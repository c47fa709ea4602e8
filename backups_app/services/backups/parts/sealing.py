"""Sealed secrets of a part: each is bound to its place, so it is opened where it was and sealed where it will be.

Whoever brings secrets back needs the FIELD_ENCRYPTION_KEYS of the store they were sealed in.
"""

# Every name that is put into a statement comes from a model; values are parameters.
# ruff: noqa: S608

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backups_app.services.backups.parts.passing import coming
from backups_app.services.backups.parts.selecting import marks
from config.shared.callers import Caller
from config.shared.crypto import DecryptionFailed
from config.shared.errors import Conflict
from sessions_app.models import Project, ProviderKey, SystemConfig, UserConfig
from sessions_app.services.configs import config_set

_KEYS = (
    f"SELECT t.id, p.target, t.user_config_id, t.provider, t.sealed FROM {ProviderKey._meta.db_table} t "
    f"JOIN {marks(UserConfig)} p ON p.pk = t.user_config_id WHERE {coming(UserConfig)} ORDER BY t.id"
)
_FIELDS = SystemConfig._meta.local_concrete_fields


@dataclass(frozen=True)
class Setting:
    """One setting that comes in: as it was, with its secrets, and where it goes."""

    was: SystemConfig
    secrets: dict[str, Any]
    project_id: int | None
    key: str


def seals_check(raw: sqlite3.Connection) -> None:
    """See that every secret that comes in can be opened. Raises Conflict, naming the first that cannot."""
    for _pk, _target, user, provider, sealed in raw.execute(_KEYS):
        _opened(ProviderKey(user_config_id=user, provider=provider, sealed=sealed))
    for _setting in settings_coming(raw):
        pass


def keys_seal_anew(raw: sqlite3.Connection) -> None:
    """Seal the provider keys that come in for the users whose they will be, in the scratch store."""
    for pk, target, user, provider, sealed in raw.execute(_KEYS).fetchall():
        key = ProviderKey(user_config_id=target, provider=provider)
        key.seal(_opened(ProviderKey(user_config_id=user, provider=provider, sealed=sealed)))
        raw.execute(f"UPDATE {ProviderKey._meta.db_table} SET sealed = ? WHERE id = ?", [key.sealed, pk])


def settings_coming(raw: sqlite3.Connection) -> Iterator[Setting]:
    """Yield the settings that come in. Raises Conflict where a secret cannot be opened."""
    columns = ", ".join(f"t.{field.column}" for field in _FIELDS)
    statement = (
        f"SELECT p.called, (SELECT target FROM {marks(Project)} WHERE pk = t.project_id), {columns} "
        f"FROM {SystemConfig._meta.db_table} t JOIN {marks(SystemConfig)} p ON p.pk = t.id "
        f"WHERE {coming(SystemConfig)} ORDER BY t.id"
    )
    for called, project, *values in raw.execute(statement):
        was = SystemConfig(
            **{field.attname: _plain(field, value) for field, value in zip(_FIELDS, values, strict=True)}
        )
        try:
            yield Setting(was, was.unseal(), project, called or was.key)
        except DecryptionFailed as error:
            raise Conflict(f"The secrets of the setting {was.key!r} cannot be opened: {error}") from error


def settings_bring(raw: sqlite3.Connection, *, caller: Caller, now: datetime) -> int:
    """Set the settings that come in; each is the next version of its setting. Returns how many there are."""
    number = 0
    for setting in settings_coming(raw):
        was = setting.was
        config_set(
            project_id=setting.project_id,  # type: ignore[arg-type]
            key=setting.key,
            value=was.value,
            value_type=was.value_type,
            section=was.section,
            description=was.description,
            secrets=setting.secrets,
            now=now,
            caller=caller,
        )
        number += 1
    return number


def _plain(field: Any, value: Any) -> Any:
    # Documents are texts in the database; the other columns that matter here are as they are.
    return field.from_db_value(value, None, None) if hasattr(field, "from_db_value") else value


def _opened(key: ProviderKey) -> str:
    try:
        return key.reveal()
    except DecryptionFailed as error:
        raise Conflict(f"The key for the provider {key.provider!r} cannot be opened: {error}") from error
