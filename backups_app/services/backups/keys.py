"""The keys of backups as the settings state them: who signs, whom we trust, for whom files are encrypted."""

from pathlib import Path
from typing import Any

from django.conf import settings

from backups_app.archive.sealing import BadRecipient, identities_read, recipients_read
from backups_app.archive.signatures import BadKey, key_id, verify_key_of
from config.shared.errors import Conflict


def signing_key() -> str:
    """Return the private key that signs manifests. Raises Conflict where there is none, or what is no key."""
    if not settings.BACKUP_SIGNING_KEY:
        raise Conflict("BACKUP_SIGNING_KEY is not set: an archive that nobody signed could not be trusted later.")
    try:
        verify_key_of(settings.BACKUP_SIGNING_KEY)
    except BadKey as error:
        raise Conflict("BACKUP_SIGNING_KEY is no key: it is 32 random bytes in base64.") from error
    return str(settings.BACKUP_SIGNING_KEY)


def public_key() -> str:
    """Return the public key of this installation: what others put into their BACKUP_TRUSTED_KEYS. Raises Conflict."""
    return verify_key_of(signing_key())


def trusted_keys() -> list[str]:
    """Return the public keys whose archives are taken: our own, and BACKUP_TRUSTED_KEYS. Raises Conflict."""
    own = [public_key()] if settings.BACKUP_SIGNING_KEY else []
    keys = [*own, *settings.BACKUP_TRUSTED_KEYS]
    if not keys:
        raise Conflict("Neither BACKUP_SIGNING_KEY nor BACKUP_TRUSTED_KEYS is set: no archive can be trusted.")
    for key in keys:
        try:
            key_id(key)
        except BadKey as error:
            raise Conflict(f"BACKUP_TRUSTED_KEYS: {key[:20]!r} is no public key (32 bytes in base64).") from error
    return keys


def recipients() -> list[Any]:
    """Return whom archives are encrypted for; none: they are not. Raises Conflict for what is no recipient."""
    try:
        return recipients_read(settings.BACKUP_AGE_RECIPIENTS)
    except BadRecipient as error:
        raise Conflict(f"BACKUP_AGE_RECIPIENTS: {error}") from error


def identities() -> list[Any]:
    """Return the identities that decrypt archives here. Raises Conflict where the file of them cannot be read."""
    if not settings.BACKUP_AGE_IDENTITY_FILE:
        return []
    try:
        return identities_read(Path(settings.BACKUP_AGE_IDENTITY_FILE).read_text(encoding="utf-8"))
    except (BadRecipient, OSError, UnicodeDecodeError) as error:
        raise Conflict(f"BACKUP_AGE_IDENTITY_FILE cannot be used: {error}") from error
