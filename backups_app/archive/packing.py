"""Compression by zstd, unpacked only in bounded memory and never beyond the length that was stated."""

import hashlib
import io
from collections.abc import Iterator

import zstandard

from backups_app.archive.refusals import ArchiveRefused

PACK_LEVEL = 3
# What level 3 needs is 2 MiB; more is not granted to a file that asks for it.
MAX_WINDOW_BYTES = 8 * 1024 * 1024
CHUNK = 1024 * 1024


def unpacked(name: str, packed: bytes, size: int) -> Iterator[bytes]:
    """Yield what a part holds in chunks. Raises ArchiveRefused at the first byte beyond `size`, and for damage."""
    seen = 0
    packer = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    try:
        with packer.stream_reader(io.BytesIO(packed), read_across_frames=True) as stream:
            while chunk := stream.read(CHUNK):
                seen += len(chunk)
                if seen > size:
                    raise ArchiveRefused(name, f"it unpacks to more than the {size} bytes that are stated")
                yield chunk
    except zstandard.ZstdError as error:
        raise ArchiveRefused(name, f"it cannot be unpacked: {error}") from error
    if seen != size:
        raise ArchiveRefused(name, f"it ends after {seen} of {size} bytes")


def unpacked_check(name: str, packed: bytes, size: int, sha256: str) -> None:
    """Unpack a part to see that it holds what is stated. Raises ArchiveRefused."""
    digest = hashlib.sha256()
    for chunk in unpacked(name, packed, size):
        digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise ArchiveRefused(name, "its content is not what the manifest states")
