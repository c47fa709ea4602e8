"""API keys: made once, shown once, and known afterwards only by a keyed hash."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from config.shared.callers import SYSTEM, Caller
from config.shared.errors import InvalidInput
from sessions_app.models import ApiKey, Project
from sessions_app.services.audit import audit_record

MARK = "al"
PREFIX_BYTES = 6
SECRET_BYTES = 24
CHECKSUM_LENGTH = 6
PARTS = 4
LONGEST_TOKEN = 128
LAST_USED_PRECISION = timedelta(minutes=1)
# A revoked key is to be useless within a second.
KEY_MEMORY = timedelta(seconds=0.5)
KEYS_REMEMBERED = 1000
_remembered: dict[str, tuple[datetime, ApiKey]] = {}


@transaction.atomic
def api_key_create(
    *,
    project: Project,
    name: str,
    role: str,
    expires_at: datetime | None = None,
    created_by: str = "",
    now: datetime,
    caller: Caller = SYSTEM,
) -> tuple[ApiKey, str]:
    """Make a key of a project and return it with its text, which nobody can learn again.

    The text is `al_<prefix>_<secret>_<checksum>`: 192 random bits, and a checksum that finds typing errors without
    the database. Raises InvalidInput for an empty name, an unknown role or an end in the past.
    """
    _check(name, role, expires_at, now)
    prefix = _readable(PREFIX_BYTES)
    body = f"{MARK}_{prefix}_{_readable(SECRET_BYTES)}"
    token = f"{body}_{_checksum(body)}"
    key = ApiKey.objects.create(
        project=project,
        name=name,
        role=role,
        prefix=prefix,
        key_hash=_keyed_hash(token),
        created_by=created_by or caller.name,
        created_at=now,
        expires_at=expires_at,
    )
    audit_record(
        project_id=project.pk,
        caller=caller,
        action="api_key.create",
        target_type="api_key",
        target_id=prefix,
        changes={"name": name, "role": role, "expires_at": expires_at.isoformat() if expires_at else None},
        now=now,
    )
    return key, token


def _check(name: str, role: str, expires_at: datetime | None, now: datetime) -> None:
    if not name.strip():
        raise InvalidInput.at("/name", "A key needs a name.")
    if role not in ApiKey.Role.values:
        raise InvalidInput.at("/role", f"The role is one of: {', '.join(ApiKey.Role.values)}.")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput.at("/expires_at", "A key cannot end before it begins.")


@transaction.atomic
def api_key_revoke(*, key: ApiKey, now: datetime, caller: Caller = SYSTEM) -> ApiKey:
    """Make a key useless from the next request on; revoking it twice changes nothing."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
        audit_record(
            project_id=key.project_id,
            caller=caller,
            action="api_key.revoke",
            target_type="api_key",
            target_id=key.prefix,
            changes={"name": key.name},
            now=now,
        )
    keys_forget()
    key.refresh_from_db()
    return key


def api_key_authenticate(*, token: str, now: datetime) -> ApiKey | None:
    """Return the usable key of this text, or None. The time of last use is noted at most once a minute."""
    parts = token.split("_")
    if len(token) > LONGEST_TOKEN or not token.isascii() or len(parts) != PARTS or parts[0] != MARK:
        return None
    if not hmac.compare_digest(_checksum("_".join(parts[:3])), parts[3]):
        return None
    key: ApiKey | None = ApiKey.objects.usable_at(now).filter(prefix=parts[1]).first()
    if key is None or not hmac.compare_digest(_keyed_hash(token), key.key_hash):
        return None
    _note_use(key, now)
    return key


def api_key_remembered(*, token: str, now: datetime) -> ApiKey | None:
    """Do as `api_key_authenticate`, but ask the database at most every KEY_MEMORY for the same key.

    A key that is revoked, or given another role, keeps its former power for so long in other processes; in this one
    it loses it at once. Keys that are not usable are not remembered.
    """
    known = _keyed_hash(token)
    found = _remembered.get(known)
    if found is None or not found[0] <= now < found[0] + KEY_MEMORY:
        key = api_key_authenticate(token=token, now=now)
        if key is None:
            return None
        if len(_remembered) >= KEYS_REMEMBERED:
            _remembered.clear()
        found = _remembered[known] = (now, key)
    key = found[1]
    return None if key.expires_at is not None and key.expires_at <= now else key


def keys_forget() -> None:
    """Forget what `api_key_remembered` knows, because a key has changed."""
    _remembered.clear()


def _note_use(key: ApiKey, now: datetime) -> None:
    before = now - LAST_USED_PRECISION
    if key.last_used_at is None or key.last_used_at <= before:
        unused = Q(last_used_at__isnull=True) | Q(last_used_at__lte=before)
        ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=now)


def _readable(size: int) -> str:
    """Return random text of letters and digits only (base 32), so that a key is one word everywhere."""
    return base64.b32encode(secrets.token_bytes(size)).decode("ascii").rstrip("=").lower()


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:CHECKSUM_LENGTH]


def _keyed_hash(token: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), token.encode(), hashlib.sha256).hexdigest()
