"""Ed25519 signatures over manifests: encryption alone would not tell who made an archive."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from backups_app.archive.manifest import SIGNATURE
from backups_app.archive.refusals import ArchiveRefused

METHOD = "ed25519"
KEY_BYTES = 32
_ID_DIGITS = 16
_LINE = re.compile(rb"ed25519 ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n")


class BadKey(ValueError):
    """A key that is none: neither a seed nor a public key of Ed25519 in base64."""


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey("A key is 32 bytes in base64.") from error
    if len(raw) != KEY_BYTES:
        raise BadKey("A key is 32 bytes in base64.")
    return raw


def verify_key_of(signing_key: str) -> str:
    """Return the public key that belongs to a private one, in base64: what others put into their trusted keys."""
    public = Ed25519PrivateKey.from_private_bytes(_decoded(signing_key)).public_key()
    return base64.b64encode(public.public_bytes_raw()).decode("ascii")


def key_id(verify_key: str) -> str:
    """Return the name of a public key: the first 16 digits of its SHA-256."""
    return hashlib.sha256(_decoded(verify_key)).hexdigest()[:_ID_DIGITS]


def signature_made(data: bytes, signing_key: str) -> bytes:
    """Return the content of a signature's file: `ed25519 <key id> <signature in base64>` and a line's end."""
    signature = Ed25519PrivateKey.from_private_bytes(_decoded(signing_key)).sign(data)
    name = key_id(verify_key_of(signing_key))
    return f"{METHOD} {name} {base64.b64encode(signature).decode('ascii')}\n".encode("ascii")


def signature_check(data: bytes, signature: bytes, trusted: Iterable[str]) -> str:
    """Return the id of the trusted key that signed these bytes. Raises ArchiveRefused where none of them did."""
    found = _LINE.fullmatch(signature)
    # Written in one way only, so that a change of any bit of the file is one.
    if not found or base64.b64encode(base64.b64decode(found[2])) != found[2]:
        raise ArchiveRefused(SIGNATURE, "this is no signature")
    name = found[1].decode("ascii")
    by_id = {key_id(key): key for key in trusted}
    if name not in by_id:
        raise ArchiveRefused(SIGNATURE, f"signed by the key {name}, which is not trusted here")
    try:
        public = Ed25519PublicKey.from_public_bytes(_decoded(by_id[name]))
        public.verify(base64.b64decode(found[2]), data)
    except InvalidSignature as error:
        raise ArchiveRefused(SIGNATURE, "the signature does not fit the manifest: one of them was changed") from error
    return name
