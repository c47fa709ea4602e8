"""Postings: in which runs of a block a gram occurs, as bytes, and pages of many of them.

A posting is a list of run numbers of two bytes each, or where that is longer a bitmap of all runs of the block. A page
knows grams by a hash of 32 bits: two grams of one hash share a posting, which names too many runs and never too few.
"""

import struct
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from zlib import crc32

RUNS_PER_BLOCK = 16384
PAGE_BYTES = 1600
_KEY_BYTES, _LENGTH_BYTES = 4, 2
_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]


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


def runs_posted(one: bytes, size: int) -> Sequence[int]:
    """Return the runs of a posting of a block with bitmaps of `size` bytes, in order."""
    return _listed(one) if len(one) < size else runs_of(one)


def runs_counted(one: bytes, size: int) -> int:
    """Return how many runs a posting of a block with bitmaps of `size` bytes names."""
    return len(one) // 2 if len(one) < size else int.from_bytes(one, "little").bit_count()


def common_posting(postings: Sequence[bytes], size: int) -> bytes:
    """Return the posting of the runs that are in every one of the postings; empty where there are none.

    Bitmaps stay bitmaps: of a frequent word few runs are ever looked at, and taking a bitmap apart costs the most.
    """
    lists = sorted((one for one in postings if len(one) < size), key=len)
    bitmap = -1
    for one in postings:
        if len(one) >= size:
            bitmap &= int.from_bytes(one, "little")
    if not lists:
        return bitmap.to_bytes(size, "little") if bitmap else b""
    found = set(_listed(lists[0]))
    for one in lists[1:]:
        found.intersection_update(_listed(one))
    kept = sorted(found) if bitmap == -1 else sorted(run for run in found if bitmap >> run & 1)
    return struct.pack(f"<{len(kept)}H", *kept)


def by_stretch(one: bytes, size: int, runs: int) -> Iterator[tuple[int, bytes]]:
    """Yield the posting in pieces of so many runs (a multiple of 8), each with its number; empty ones are left out.

    A piece of a bitmap is a bitmap that begins at the piece's first run, a piece of a list is a list.
    """
    if len(one) < size:
        listed, first = _listed(one), 0
        while first < len(listed):
            number = listed[first] // runs
            end = bisect_left(listed, (number + 1) * runs, first)
            yield number, one[2 * first : 2 * end]
            first = end
        return
    for number, place in enumerate(range(0, size, runs // 8)):
        piece = one[place : place + runs // 8]
        if any(piece):
            yield number, piece


def _listed(one: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(one) // 2}H", one)


def gram_key(gram: str) -> int:
    """Return the hash by which pages know a gram; the page's number is the key modulo the number of pages."""
    return crc32(gram.encode())


def pages_needed(postings: Iterable[bytes]) -> int:
    """Return how many pages a block with these postings has."""
    return pages_for(sum(len(one) + _KEY_BYTES + _LENGTH_BYTES for one in postings))


def pages_for(total: int) -> int:
    """Return how many pages hold so many bytes: a power of two, so that blocks of one size are alike."""
    return 1 << (total // PAGE_BYTES).bit_length()


def pages_written(postings: Mapping[int, bytes], count: int) -> list[bytes]:
    """Return so many pages, by number, that hold these postings by key."""
    pages: list[dict[int, bytes]] = [{} for _ in range(count)]
    for key, one in postings.items():
        pages[key % count][key] = one
    return [page_written(page) for page in pages]


def page_written(page: Mapping[int, bytes]) -> bytes:
    """Return one page: how many postings, their keys, their lengths, and they themselves."""
    count = len(page)
    head = struct.pack(f"<H{count}I{count}H", count, *page, *map(len, page.values()))
    return head + b"".join(page.values())


def page_read(content: bytes) -> dict[int, bytes]:
    """Return all postings of a page by their keys."""
    count = content[0] | content[1] << 8
    heads = struct.unpack_from(f"<{count}I{count}H", content, 2)
    place = 2 + (_KEY_BYTES + _LENGTH_BYTES) * count
    found = {}
    for key, length in zip(heads[:count], heads[count:], strict=True):
        found[key] = content[place : place + length]
        place += length
    return found


def posting_in(content: bytes, key: int) -> bytes:
    """Return the posting of one key in a page, without reading the others; empty where there is none."""
    count = content[0] | content[1] << 8
    wanted, end = key.to_bytes(_KEY_BYTES, "little"), 2 + _KEY_BYTES * count
    place = content.find(wanted, 2, end)
    while place > 0 and (place - 2) % _KEY_BYTES:
        place = content.find(wanted, place + 1, end)
    if place < 0:
        return b""
    number = (place - 2) // _KEY_BYTES
    lengths = struct.unpack_from(f"<{number + 1}H", content, end)
    first = end + _LENGTH_BYTES * count + sum(lengths[:-1])
    return content[first : first + lengths[-1]]


def by_key(postings: Mapping[str, bytes], size: int) -> dict[int, bytes]:
    """Return the postings of grams by their keys, united where two grams have the same."""
    alike: defaultdict[int, list[bytes]] = defaultdict(list)
    for gram, one in postings.items():
        alike[gram_key(gram)].append(one)
    return {key: ones[0] if len(ones) == 1 else _united(ones, size) for key, ones in alike.items()}


def _united(ones: Iterable[bytes], size: int) -> bytes:
    return posting([run for one in ones for run in runs_posted(one, size)], 0, size)
