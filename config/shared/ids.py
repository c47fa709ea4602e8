"""Identifiers made here: UUIDv7, which sort by the time they were made."""

import secrets
import time
import uuid

_RANDOM_BITS_A = 12
_RANDOM_BITS_B = 62


def uuid7() -> str:
    """Return a new UUIDv7 as text (RFC 9562, section 5.7): 48 bits of Unix milliseconds, the rest random."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= secrets.randbits(_RANDOM_BITS_A) << 64
    value |= 0b10 << 62
    value |= secrets.randbits(_RANDOM_BITS_B)
    return str(uuid.UUID(int=value))
