"""Encryption of whole files in the format of age: for recipients when written, by identities when read."""

from collections.abc import Sequence
from typing import Any

import pyrage

from backups_app.archive.refusals import ArchiveRefused, KeyMissing

# What pyrage says, and nothing but its words tells it from damage.
_NOT_FOR_US = "No matching keys found"


class BadRecipient(ValueError):
    """What was given as a recipient or an identity is none."""


def recipients_read(texts: Sequence[str]) -> list[Any]:
    """Return the recipients of these `age1…` texts. Raises BadRecipient."""
    found = []
    for text in texts:
        try:
            found.append(pyrage.x25519.Recipient.from_str(text.strip()))
        except pyrage.RecipientError as error:
            raise BadRecipient(f"{text[:20]!r} is no age recipient (age1…).") from error
    return found


def identities_read(text: str) -> list[Any]:
    """Return the identities in an identity file as `age-keygen` writes it. Raises BadRecipient."""
    lines = [line.strip() for line in text.splitlines()]
    found = []
    for line in lines:
        if line and not line.startswith("#"):
            try:
                found.append(pyrage.x25519.Identity.from_str(line))
            except pyrage.IdentityError as error:
                raise BadRecipient("The identity file holds a line that is no age identity.") from error
    return found


def sealed(data: bytes, recipients: Sequence[Any]) -> bytes:
    """Return the data as an age file."""
    return bytes(pyrage.encrypt(data, list(recipients)))


def opened(name: str, data: bytes, identities: Sequence[Any]) -> bytes:
    """Return what an age file holds, and nothing of it where any part was changed.

    Raises KeyMissing where it is for other identities, ArchiveRefused for damage.
    """
    try:
        # In one piece: read as a stream, age gives out the beginning before it has seen that the end is missing.
        return bytes(pyrage.decrypt(data, list(identities)))
    except pyrage.DecryptError as error:
        refusal = KeyMissing if str(error) == _NOT_FOR_US else ArchiveRefused
        raise refusal(name, f"it cannot be decrypted: {error}") from error
