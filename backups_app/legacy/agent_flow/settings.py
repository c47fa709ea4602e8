"""Makes settings, users and knowledge sources of the rows of `system_config`, `user_config`, `knowledge_sources`."""

import hashlib
import json
from typing import Any

from backups_app.legacy.columns import TIMES, RowTaking, as_bytes
from backups_app.legacy.fields import AS_FOUND
from backups_app.legacy.history_store.tables import ORPHANS, typed
from backups_app.legacy.json_exact import BadJSON, parse_json
from backups_app.legacy.numbers import tokens_read
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.types import LegacyConfig, LegacyKnowledge, LegacyUser

PREFERENCES = "preferences"
USAGE = "usage_stats"
COUNTERS = ("task_count", "total_tokens")
UNNAMED = "unknown"
PROVIDER_LENGTH = 100
SOURCE_PATH_LENGTH = 2000
SOURCE_TYPE_LENGTH = 64
DELETED = "deleted"
STATUSES = {"active": "active", "inactive": "inactive", DELETED: DELETED}
# What may stand beside a user as it was found: nothing that may hold a secret.
_SHOWABLE = ("user_id", "user_id_hex", *TIMES, USAGE)
_SOURCE_COLUMNS = frozenset({"source_id", "source_name", "source_path", "source_type", "metadata", "status", *TIMES})


def config_of(taking: RowTaking) -> LegacyConfig:
    """The setting of a row of `system_config`, typed where its text is unmistakably JSON, with secrets taken out."""
    key = taking.required("config_key", UNNAMED)
    value, secrets = split_secrets(typed(taking.raw.get("config_value"), taking.reading.limits.depth), key)
    updated = taking.moment("updated_at")
    description = taking.long_text("description")
    taking.tell(quoted=False)
    repaired = bool(taking.repairs)
    return LegacyConfig(key, "", value, taking.place, secrets, updated, repaired, description)


def user_of(taking: RowTaking) -> LegacyUser:
    """The user of a row of `user_config`. Nothing of such a row is ever quoted, for it may hold secrets."""
    user = LegacyUser(user_id=taking.required("user_id", ORPHANS), place=taking.place, size=taking.size)
    user.preferences, user.api_keys = _preferences(taking)
    user.api_keys |= _keys(taking)
    user.created_at, user.updated_at = (taking.moment(key) for key in TIMES)
    usage = _usage(taking)
    found = taking.metadata.get(AS_FOUND, {})
    kept, _secrets = split_secrets({key: found[key] for key in _SHOWABLE if key in found})
    user.brought_in = {USAGE: usage, AS_FOUND: kept} if kept else {USAGE: usage} if usage else {}
    taking.tell(quoted=False)
    user.repaired = bool(taking.repairs)
    return user


def _preferences(taking: RowTaking) -> tuple[dict[str, Any], dict[str, str]]:
    """The preferences with masks, and the secrets among them by a name that tells their place."""
    found = taking.document(PREFERENCES)
    masked, secrets = split_secrets(found)
    if not found and taking.raw.get(PREFERENCES) and PREFERENCES in taking.metadata.get(AS_FOUND, {}):
        return {}, {PREFERENCES: taking.raw[PREFERENCES]}
    return masked, {_provider(f"{PREFERENCES}{pointer}"): secret for pointer, secret in secrets.items()}


def _keys(taking: RowTaking) -> dict[str, str]:
    """The keys by provider. What is no text under a provider is sealed as its JSON; what is no object, as a whole."""
    value = taking.data.get("api_keys")
    if value is None or value == "":
        return {}
    data = as_bytes(value) if isinstance(value, str | bytes) else str(value).encode()
    try:
        parsed = parse_json(data, taking.reading.limits.depth)
        found = parsed.values[0] if len(parsed.values) == 1 and parsed.rest is None else None
    except BadJSON:
        found = None
    if type(found) is not dict:
        taking.repairs.append(("api_keys", f"api_keys: no JSON object; sealed whole, under {UNNAMED!r}"))
        return {UNNAMED: data.decode("utf-8", "backslashreplace").replace("\x00", "\\u0000")}
    for provider, secret in found.items():
        if type(secret) is not str:
            taking.repairs.append(("api_keys", f"api_keys: {provider!r:.100} is no text; sealed as its JSON"))
    return {_provider(provider): _secret(secret) for provider, secret in found.items() if secret not in (None, "")}


def _provider(name: str) -> str:
    """The provider's name, or where it is no usable one, one that stands for it."""
    if 0 < len(name) <= PROVIDER_LENGTH:
        return name
    return hashlib.sha256(name.encode()).hexdigest() if name else UNNAMED


def _secret(value: Any) -> str:
    return value if type(value) is str else json.dumps(value, ensure_ascii=False)


def _usage(taking: RowTaking) -> dict[str, Any]:
    """What the source has counted for the user, where it is a count; all of it is kept as found where some is none."""
    found = taking.document(USAGE)
    counts = {key: tokens_read(found[key]) for key in COUNTERS if key in found}
    if None in counts.values() or found.keys() - counts.keys():
        taking.repair(USAGE, USAGE, "more than counts from 0 to 10^12; kept as found, and the counts taken")
    return {key: count for key, count in counts.items() if count is not None}


def knowledge_of(taking: RowTaking) -> LegacyKnowledge:
    """The source of a row of `knowledge_sources`. Where it points to is data: it is never opened."""
    status = taking.word("status", STATUSES, "inactive")
    created, updated = (taking.moment(key) for key in TIMES)
    source = LegacyKnowledge(
        source_name=taking.required("source_name", UNNAMED),
        source_path=taking.name("source_path", length=SOURCE_PATH_LENGTH),
        source_type=taking.required("source_type", UNNAMED, SOURCE_TYPE_LENGTH),
        place=taking.place,
        status="active" if status == DELETED else status,
        created_at=created or updated,
        updated_at=updated or created,
        size=taking.size,
    )
    document = taking.document("metadata")
    taking.keep_unknown(_SOURCE_COLUMNS)
    source.metadata = {**taking.metadata, **document}
    taking.tell()
    source.repaired = bool(taking.repairs)
    if status == DELETED:
        source.deleted_at = source.updated_at
    return source
