"""Reads the history files of one session together: every line, joined and in time order."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain

from backups_app.legacy.files import FoundFile, Line, Unreadable, lines_of, read_whole
from backups_app.legacy.history_store.encodings import UTF16_MARKS, as_utf8
from backups_app.legacy.history_store.lines import LineReader
from backups_app.legacy.history_store.llm_pairs import LLMPairs
from backups_app.legacy.history_store.survey import history_stem
from backups_app.legacy.types import Finding, LegacyRecord, Level, Place, Reading

# JSON Lines pack to about a tenth; this says how much memory a packed file is reckoned with.
PACKED = 10


class GroupReader:
    """Reads groups of files that belong to one session by name: its months, or one aggregated file."""

    def __init__(self, reading: Reading, begun_at: Callable[[str], datetime | None]) -> None:
        """`begun_at` gives the start of a session by its id, or None."""
        self._reading = reading
        self._begun_at = begun_at

    def read(self, files: list[FoundFile]) -> Iterator[LegacyRecord]:
        """All records of the files by time; those of one time as they stand in the files.

        A group too large to be held in memory is read as it stands, which is noted.
        """
        pairs = LLMPairs()
        size = sum(file.size * (PACKED if file.name.endswith(".gz") else 1) for file in files)
        if size > self._reading.limits.sorted_group_bytes:
            yield from self._as_they_stand(files, pairs)
            return
        records: list[LegacyRecord] = []
        for file in files:
            of_file = list(self._records(file))
            pairs.join(reversed(of_file) if _written_backwards(of_file) else of_file)
            records += of_file
        records.sort(key=lambda record: record.timestamp)
        yield from records

    def _as_they_stand(self, files: list[FoundFile], pairs: LLMPairs) -> Iterator[LegacyRecord]:
        for file in files:
            detail = "too large to be brought into time order; read as it stands"
            self._reading.report(Finding(Level.NOTE, "file_order", Place(file.name), detail, "file"))
            for record in self._records(file):
                pairs.join((record,))
                yield record

    def _records(self, file: FoundFile) -> Iterator[LegacyRecord]:
        reader = LineReader(
            path=file.name, stem=history_stem(file.name), reading=self._reading, begun_at=self._begun_at
        )
        try:
            for line in self._lines(file):
                yield from reader.read(line)
        except Unreadable as error:
            self._reading.report(Finding(Level.REJECTED, "unreadable", Place(file.name), str(error), "file"))

    def _lines(self, file: FoundFile) -> Iterator[Line]:
        """The lines of the file in UTF-8, whatever its byte order mark says."""
        limits = self._reading.limits
        lines = lines_of(file.path, line_bytes=limits.line_bytes, unpack_ratio=limits.unpack_ratio)
        first = next(lines, None)
        if first is None:
            return
        if first.data.startswith(UTF16_MARKS):
            data = as_utf8(read_whole(file.path, limits.document_bytes), Place(file.name), "file", self._reading)
            yield from (Line(number, text) for number, text in enumerate(data.split(b"\n"), 1))
            return
        unmarked = as_utf8(first.data, Place(file.name), "file", self._reading)
        yield from chain([Line(first.number, unmarked, first.too_long)], lines)


def _written_backwards(records: list[LegacyRecord]) -> bool:
    """Whether the file was written last record first."""
    return len(records) > 1 and records[-1].timestamp < records[0].timestamp
