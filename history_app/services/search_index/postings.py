"""Postings: in which runs of a block a gram occurs, as bytes, and pages of many of them.

A posting is a list of run numbers of two bytes each, or where that is longer a bitmap of all runs of the block.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import msgspec

RUNS_PER_BLOCK = 16384
PAGE_BYTES = 1600
_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]
_decoder = msgspec.msgpack.Decoder(dict[str, bytes])
_encoder = msgspec.msgpack.Encoder()


def bitmap_bytes(runs: int) -> int:
    """Return the size of a bitmap of so many runs."""
    return (runs + 7) // 8


def bits_of(runs: Iterable[int], size: int) -> int:
    """Return a bitmap of `size` bytes, as a number, with these runs in it."""
    bitmap = bytearray(size)
    for run in runs:
        bitmap[run >> 3] |= 1 << (run & 7)
    return int.from_bytes(bitmap, "little")


def runs_of(bitmap: bytes) -> list[int]:
    """Return the runs of a bitmap, in order."""
    return [(place << 3) + bit for place, byte in enumerate(bitmap) if byte for bit in _BITS[byte]]


def posting(runs: Iterable[int], bits: int, size: int) -> bytes:
    """Return the posting of the runs that are listed or set in the bits, for bitmaps of `size` bytes."""
    if not bits:
        listed = sorted(set(runs))
        if 2 * len(listed) < size:
            return struct.pack(f"<{len(listed)}H", *listed)
    bitmap = (bits | bits_of(runs, size)).to_bytes(size, "little")
    if 2 * int.from_bytes(bitmap, "little").bit_count() >= size:
        return bitmap
    listed = runs_of(bitmap)
    return struct.pack(f"<{len(listed)}H", *listed)


def common_runs(postings: Sequence[bytes], size: int) -> list[int]:
    """Return the runs, in order, that are in every one of the postings of a block with bitmaps of `size` bytes."""
    lists = sorted((one for one in postings if len(one) < size), key=len)
    bitmap = -1
    for one in postings:
        if len(one) >= size:
            bitmap &= int.from_bytes(one, "little")
    if not lists:
        return runs_of(bitmap.to_bytes(size, "little"))
    found = set(_listed(lists[0]))
    for one in lists[1:]:
        found.intersection_update(_listed(one))
    return sorted(found) if bitmap == -1 else sorted(run for run in found if bitmap >> run & 1)


def _listed(one: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(one) // 2}H", one)


def page_number(gram: str, pages: int) -> int:
    """Return the number of the page that holds the gram, in a block of so many pages."""
    return crc32(gram.encode()) % pages


def pages_written(postings: Mapping[str, bytes]) -> list[bytes]:
    """Return the pages of a block, by number; every number up to the last has one."""
    total = sum(map(len, postings.values())) + 6 * len(postings)
    # A power of two, so that blocks of one size mostly have the same number and one query serves them all.
    pages: list[dict[str, bytes]] = [{} for _ in range(1 << (total // PAGE_BYTES).bit_length())]
    for gram, one in postings.items():
        pages[page_number(gram, len(pages))][gram] = one
    return [_encoder.encode(page) for page in pages]


def page_read(content: bytes) -> dict[str, bytes]:
    """Return the postings of a page by their grams."""
    return _decoder.decode(content)
