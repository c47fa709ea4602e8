"""Secrets that the embedded default makes for itself: once, whole, and readable by the owner only."""

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


def secret_kept_in(path: Path, make: Callable[[], str]) -> str:
    """Return the secret kept in the file `path`, making it with `make()` when there is none.

    Safe when several processes start at once: the finished file appears under its name by a hard link, which fails
    when somebody else was first, and then theirs is read. The file has mode 0600.
    """
    if not path.exists():
        _publish(path, make())
    return path.read_text(encoding="utf-8").strip()


def _publish(path: Path, value: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        _sync_directory(path.parent)
    finally:
        Path(temporary).unlink()


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def new_secret_key() -> str:
    """Return a fresh SECRET_KEY (64 characters that need no quoting)."""
    return secrets.token_urlsafe(48)


def new_field_key() -> str:
    """Return a fresh field encryption key as `id:base64` (256 bits, the form of FIELD_ENCRYPTION_KEYS)."""
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode('ascii')}"


def new_backup_signing_key() -> str:
    """Return a fresh private key of Ed25519 (any 32 bytes are one) in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode("ascii")
