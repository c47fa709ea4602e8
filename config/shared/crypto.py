"""Field encryption: AES-256-GCM with the place of the value bound in, failing closed."""

import base64
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NONCE_BYTES = 12
KEY_BYTES = 32


class DecryptionFailed(Exception):
    """A stored secret cannot be read: its key is missing, or the value was changed or moved."""


@lru_cache(maxsize=4)
def _ring(stated: tuple[str, ...]) -> dict[str, AESGCM]:
    ring = {}
    for entry in stated:
        key_id, _, encoded = entry.partition(":")
        key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if len(key) != KEY_BYTES or not key_id:
            raise ImproperlyConfigured(f"FIELD_ENCRYPTION_KEYS: each entry is 'id:base64' of {KEY_BYTES} bytes.")
        ring[key_id] = AESGCM(key)
    if not ring:
        raise ImproperlyConfigured("FIELD_ENCRYPTION_KEYS is empty: secrets can be neither written nor read.")
    return ring


def encrypt(plain: str, place: str) -> str:
    """Return `key id:base64(nonce + ciphertext)` under the first key, bound to `place` (such as table|row|field)."""
    key_id, cipher = next(iter(_ring(tuple(settings.FIELD_ENCRYPTION_KEYS)).items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, plain.encode(), place.encode())
    return f"{key_id}:{base64.b64encode(sealed).decode()}"


def decrypt(stored: str, place: str) -> str:
    """Return the plain text of what `encrypt` returned for the same place. Raises DecryptionFailed otherwise."""
    key_id, _, encoded = stored.partition(":")
    cipher = _ring(tuple(settings.FIELD_ENCRYPTION_KEYS)).get(key_id)
    if cipher is None:
        raise DecryptionFailed(f"No key with the id {key_id!r} is configured.")
    sealed = base64.b64decode(encoded)
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
    except InvalidTag as error:
        raise DecryptionFailed(f"A secret does not belong to {place}, or was changed.") from error
