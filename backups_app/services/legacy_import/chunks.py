"""Cuts what a store yields into batches: each is stored in one transaction, together with how far the run has come."""

from collections.abc import Iterable, Iterator

from backups_app.legacy.types import StoreBegins
from backups_app.services.legacy_reading.entries import Entry, size_of

CHUNK_ENTRIES = 5000
CHUNK_BYTES = 4_000_000


def chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """The entries in batches that end at the same places whenever the same entries come; none is of two stores."""
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        if chunk and isinstance(entry, StoreBegins):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += size_of(entry)
        if len(chunk) >= CHUNK_ENTRIES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
