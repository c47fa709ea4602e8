"""The reader runs ahead of the writer, in order, within bounds, and stops when it is left alone."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from backups_app.legacy.types import Finding, LegacyConfig, Level, Place
from backups_app.services.legacy_reading.handing_over import BATCH_ENTRIES, BATCHES_WAITING
from backups_app.services.legacy_reading.read_ahead import ReadAhead

PLACE = Place("x")


@dataclass
class Job:
    """A store that a test makes up; `read` is told whom findings go to."""

    read: Any
    now: Any = None
    bytes: int = 0
    bytes_read: int = 0

    def opened(self, report):
        self.report = report
        return self

    def items(self):
        return self.read(self.report)


def item(number):
    return LegacyConfig(str(number), "", number, PLACE)


def finding(number):
    return Finding(Level.NOTE, "note", PLACE, str(number), "file")


def test_items_and_findings_come_in_the_order_in_which_they_were_made():
    def read(report):
        for number in range(1000):
            report(finding(number))
            yield item(number)

    with ReadAhead(Job(read)).entries() as entries:
        told = [(type(entry).__name__, entry.detail if isinstance(entry, Finding) else entry.key) for entry in entries]
    assert told == [pair for n in range(1000) for pair in (("Finding", str(n)), ("LegacyConfig", str(n)))]


def test_an_error_of_the_reader_is_raised_after_what_came_before_it():
    def read(_report):
        yield from map(item, range(BATCH_ENTRIES))
        raise MemoryError("no more")

    came = []
    with pytest.raises(MemoryError, match="no more"), ReadAhead(Job(read)).entries() as entries:
        came.extend(entries)
    assert len(came) == BATCH_ENTRIES


def test_the_reader_does_not_run_away_and_is_stopped_when_it_is_left():
    made = []
    closed = threading.Event()

    def read(_report):
        try:
            while True:
                made.append(1)
                yield item(1)
        finally:
            closed.set()

    with ReadAhead(Job(read)).entries() as entries:
        next(entries)
    assert closed.is_set()
    assert len(made) <= BATCH_ENTRIES * (BATCHES_WAITING + 3)


def test_findings_alone_are_handed_over_as_they_come():
    def read(report):
        for number in range(BATCH_ENTRIES * 3):
            report(finding(number))
        assert came.wait(timeout=30)
        yield item(1)

    came = threading.Event()
    with ReadAhead(Job(read)).entries() as entries:
        next(entries)
        came.set()
        assert len(list(entries)) == BATCH_ENTRIES * 3
