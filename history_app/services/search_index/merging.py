"""Merging: neighbouring blocks become one, page by page, without reading the records again."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.db.models import QuerySet, Sum
from django.db.models.functions import Length

from history_app.models import SearchBlock, SearchPage
from history_app.services.search_index.building import runs_in
from history_app.services.search_index.postings import (
    bitmap_bytes,
    page_read,
    page_written,
    pages_for,
    posting,
    runs_posted,
)
from history_app.services.search_index.sources import Source
from history_app.services.search_index.stretches import NO_RECORD, RUNS_PER_STRETCH, Times, times_read, united


class Merger:
    """Makes one block of several that follow one another, with a few pages in memory."""

    def __init__(self, source: Source, group: Sequence[SearchBlock]) -> None:
        self.source, self.group = source, group
        first = group[0].first_id
        self.sizes = {block.pk: bitmap_bytes(runs_in(source, block.first_id, block.last_id)) for block in group}
        self.offsets = {block.pk: (block.first_id - first) // source.run for block in group}
        self.runs = runs_in(source, first, group[-1].last_id)
        self.size = bitmap_bytes(self.runs)

    @property
    def rows(self) -> QuerySet[SearchPage]:
        """The pages of all blocks."""
        return SearchPage.objects.filter(block__in=list(self.sizes))

    def page_count(self) -> int:
        """Return how many pages the block is to have; never fewer than one of the others has."""
        total = self.rows.aggregate(total=Sum(Length("content")))["total"] or 0
        return max(pages_for(total), *(block.pages for block in self.group))

    def times(self) -> list[Times]:
        """Return the times of the stretches. One that lies across two former ones has the times of both."""
        found: list[list[Times]] = [[NO_RECORD] for _ in range((self.runs - 1) // RUNS_PER_STRETCH + 1)]
        for block in self.group:
            for place, times in enumerate(times_read(bytes(block.stretches))):
                begin = self.offsets[block.pk] + place * RUNS_PER_STRETCH
                for stretch in {begin // RUNS_PER_STRETCH, (begin + RUNS_PER_STRETCH - 1) // RUNS_PER_STRETCH}:
                    if stretch < len(found):
                        found[stretch].append(times)
        return [united(times) for times in found]

    def pages(self, count: int) -> Iterator[tuple[int, bytes]]:
        """Yield the numbers and the contents of the pages.

        A key stands on the page that its lowest bits name: one page of the block with the fewest, and a few of each
        other one, hold all that a few of the new pages are to hold.
        """
        fewest = min(block.pages for block in self.group)
        for first in range(fewest):
            pages: dict[int, dict[int, bytes]] = {number: {} for number in range(first, count, fewest)}
            for key, found in self._found(first, fewest).items():
                pages[key % count][key] = self._united(found)
            for number, page in pages.items():
                yield number, page_written(page)

    def _found(self, first: int, fewest: int) -> dict[int, list[tuple[int, bytes]]]:
        """Return the postings of the keys that have `first` in their lowest bits, each with its block."""
        found: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
        numbers = range(first, max(block.pages for block in self.group), fewest)
        for block, content in self.rows.filter(number__in=list(numbers)).values_list("block_id", "content"):
            for key, one in page_read(bytes(content)).items():
                found[key].append((block, one))
        return found

    def _united(self, found: list[tuple[int, bytes]]) -> bytes:
        """Return one posting for the whole block from those of its parts."""
        bits = 0
        listed: list[int] = []
        for block, one in found:
            offset, size = self.offsets[block], self.sizes[block]
            if len(one) >= size:
                bits |= int.from_bytes(one, "little") << offset
            else:
                listed += [run + offset for run in runs_posted(one, size)]
        if bits or 2 * len(listed) >= self.size:
            return posting(listed, bits, self.size)
        return struct.pack(f"<{len(listed)}H", *sorted(listed))
