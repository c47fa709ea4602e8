"""Filling: records behind the watermark become blocks, small blocks become large ones, changed ones are built anew.

Everything here may be stopped at any moment, run again, and run twice at once: a block is stored in one transaction
that succeeds only when what it was made from is still so.
"""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from history_app.models import Fact, SearchBlock, SearchDirty, SearchPage, SearchProgress
from history_app.services.search_index.building import BuiltBlock, block_build, times_of
from history_app.services.search_index.merging import Merger
from history_app.services.search_index.postings import RUNS_PER_BLOCK
from history_app.services.search_index.sources import RECORD_TYPE_OF, SOURCES, Source
from history_app.services.search_index.stretches import times_written, united
from history_app.services.settled import settled_id

# Runs of a block by tier. So many blocks of one tier, one after the other, become one of the next. The highest tier is
# only reached by merging: building one from its records would take too much memory.
RUNS_BY_TIER = (RUNS_PER_BLOCK // 256, RUNS_PER_BLOCK // 16, RUNS_PER_BLOCK)
BUILT_TIERS = 2
FANOUT = 16
# A search looks at changed records one by one; more than these are too many for that.
DIRTY_LIMIT = 256
CLAIM = timedelta(minutes=5)
# A call ends when it has worked for so long, so that a job stays short; the next one goes on.
SECONDS_PER_CALL = 20.0
PAGES_PER_INSERT = 200


@dataclass(frozen=True)
class FillResult:
    """What one call did: how many blocks it added, and how often it merged blocks or built one anew."""

    added: int = 0
    rebuilt: int = 0

    def __add__(self, other: "FillResult") -> "FillResult":
        return FillResult(self.added + other.added, self.rebuilt + other.rebuilt)


def search_index_fill(
    *, now: datetime, seconds: float = SECONDS_PER_CALL, blocks: int | None = None, least: int | None = None
) -> FillResult:
    """Bring the index up to date, for about `seconds` and with at most `blocks` blocks a table, and say what was done.

    Fewer than a block of the lowest tier, or `least` ids, stay for the next time: a search reads them themselves.
    """
    done = FillResult()
    until = time.monotonic() + seconds
    for source in SOURCES.values():
        progress, _created = SearchProgress.objects.get_or_create(record_type=source.record_type)
        if not _claim(progress, now):
            continue
        try:
            done += _fill(source, progress, _Budget(until, blocks), settled_id(source.model, progress, now=now), least)
        finally:
            SearchProgress.objects.filter(pk=progress.pk).update(claimed_until=None)
    return done


def search_dirty_note(*, fact: Fact) -> None:
    """Note that a stored record's text has changed; within the transaction of the change."""
    record_type = RECORD_TYPE_OF.get(type(fact))
    if record_type is not None:
        SearchDirty.objects.create(record_type=record_type, record_pk=fact.pk)


@transaction.atomic
def search_index_reset() -> None:
    """Forget the whole index; it is filled anew. Needed after rows came back with their former ids (a restore)."""
    SearchPage.objects.all().delete()
    SearchBlock.objects.all().delete()
    SearchDirty.objects.all().delete()
    SearchProgress.objects.update(watermark=0, ceiling=0, ceiling_at=None)


@dataclass
class _Budget:
    """How much of a call is left."""

    until: float
    blocks: int | None

    def spend(self) -> bool:
        """Return whether one more block may be made, and count it."""
        if self.blocks == 0 or time.monotonic() >= self.until:
            return False
        self.blocks = None if self.blocks is None else self.blocks - 1
        return True


def _claim(progress: SearchProgress, now: datetime) -> bool:
    """Return whether the work on this table is ours. It only saves work: nothing goes wrong when two have it."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    return bool(SearchProgress.objects.filter(free, pk=progress.pk).update(claimed_until=now + CLAIM))


def _fill(source: Source, progress: SearchProgress, budget: _Budget, settled: int, least: int | None) -> FillResult:
    added = rebuilt = 0
    while (span := _next_span(source, settled - progress.watermark, least)) and budget.spend():
        tier, ids = span
        first = progress.watermark + 1
        if not _append(source, progress, first, first + ids - 1, tier):
            break
        added += 1
        rebuilt += _tidy(source, budget)
    return FillResult(added, rebuilt + _tidy(source, budget))


def _tidy(source: Source, budget: _Budget) -> int:
    """Merge what can be merged, and build anew what has changed too much. Returns how often."""
    done = 0
    while True:
        if group := _mergeable(source):
            succeeded = budget.spend() and _merge(source, group)
        elif dirty := _too_dirty(source):
            succeeded = budget.spend() and _rebuild(source, dirty)
        else:
            return done
        if not succeeded:
            return done
        done += 1


def _next_span(source: Source, waiting: int, least: int | None) -> tuple[int, int] | None:
    """Return the tier and the number of ids of the next block, or None when too few ids wait.

    A block ends with a whole run, so that it can be merged with the next.
    """
    for tier in reversed(range(BUILT_TIERS)):
        if waiting >= RUNS_BY_TIER[tier] * source.run:
            return tier, RUNS_BY_TIER[tier] * source.run
    if least is None or waiting < max(least, source.run):
        return None
    return 0, waiting - waiting % source.run


def _append(source: Source, progress: SearchProgress, first_id: int, last_id: int, tier: int) -> bool:
    """Store the next block and move the watermark. Returns False when somebody else has moved it."""
    changed = _changed(source, first_id, last_id)
    built = block_build(source, first_id, last_id)
    try:
        with transaction.atomic():
            mine = SearchProgress.objects.filter(pk=progress.pk, watermark=first_id - 1)
            if not mine.update(watermark=built.last_id):
                return False
            _store(source, built, tier)
            SearchDirty.objects.filter(pk__in=changed, record_pk__lte=built.last_id).delete()
    except IntegrityError:
        return False
    progress.watermark = built.last_id
    return True


def _changed(source: Source, first_id: int, last_id: int) -> list[int]:
    """Return the notes of changes that whoever reads these records from now on is sure to see."""
    notes = SearchDirty.objects.filter(record_type=source.record_type)
    return list(notes.filter(record_pk__gte=first_id, record_pk__lte=last_id).values_list("pk", flat=True))


def _store(source: Source, built: BuiltBlock, tier: int) -> None:
    oldest, newest = times_of(built)
    block = SearchBlock.objects.create(
        record_type=source.record_type,
        first_id=built.first_id,
        last_id=built.last_id,
        tier=tier,
        pages=len(built.pages),
        oldest=oldest,
        newest=newest,
        stretches=times_written(built.times),
    )
    _store_pages(block, enumerate(built.pages))


def _store_pages(block: SearchBlock, pages: Iterable[tuple[int, bytes]]) -> None:
    some: list[SearchPage] = []
    for number, content in pages:
        some.append(SearchPage(block=block, number=number, content=content))
        if len(some) == PAGES_PER_INSERT:
            SearchPage.objects.bulk_create(some)
            some = []
    SearchPage.objects.bulk_create(some)


def _mergeable(source: Source) -> list[SearchBlock]:
    """Return blocks of one tier, one after the other, that are to become one of the next tier."""
    blocks = SearchBlock.objects.filter(record_type=source.record_type, tier__lt=len(RUNS_BY_TIER) - 1)
    group: list[SearchBlock] = []
    for block in blocks.defer("stretches").order_by("first_id"):
        if group and (block.tier != group[-1].tier or block.first_id != group[-1].last_id + 1):
            group = []
        group.append(block)
        if len(group) == FANOUT:
            return group
    return []


def _merge(source: Source, group: Sequence[SearchBlock]) -> bool:
    """Put one block in the place of several. Notes of changes stay: what they are about was not read again."""
    merger = Merger(source, group)
    times = merger.times()
    oldest, newest = united(times)
    # Blocks never change, so all this is made before the transaction, which on SQLite keeps every writer out.
    pages = list(merger.pages(count := merger.page_count()))
    with transaction.atomic():
        merged = SearchBlock.objects.create(
            record_type=source.record_type,
            # The place of the first one is taken until it is gone.
            first_id=-group[0].first_id,
            last_id=group[-1].last_id,
            tier=group[0].tier + 1,
            pages=count,
            oldest=oldest if newest >= oldest else None,
            newest=newest if newest >= oldest else None,
            stretches=times_written(times),
        )
        _store_pages(merged, pages)
        if not _remove(group):
            return False
        SearchBlock.objects.filter(pk=merged.pk).update(first_id=group[0].first_id)
    return True


def _remove(group: Sequence[SearchBlock]) -> bool:
    """Remove blocks within a transaction; when one of them is gone, undo that. Returns whether they are removed."""
    replaced = [block.pk for block in group]
    SearchPage.objects.filter(block_id__in=replaced).delete()
    deleted, _per_model = SearchBlock.objects.filter(pk__in=replaced).delete()
    if deleted != len(replaced):
        transaction.set_rollback(True)
    return bool(deleted == len(replaced))


def _too_dirty(source: Source) -> list[SearchBlock]:
    """Return the block with the most changed records, when there are too many of them altogether."""
    notes = SearchDirty.objects.filter(record_type=source.record_type)
    changed = list(notes.values_list("record_pk", flat=True))
    if len(changed) <= DIRTY_LIMIT:
        return []
    blocks = list(SearchBlock.objects.filter(record_type=source.record_type).defer("stretches").order_by("first_id"))
    begins = [block.first_id for block in blocks]
    places = (bisect_right(begins, pk) - 1 for pk in changed)
    counts = Counter(
        place for place, pk in zip(places, changed, strict=True) if place >= 0 <= blocks[place].last_id - pk
    )
    return [blocks[place] for place, _count in counts.most_common(1)]


def _rebuild(source: Source, group: Sequence[SearchBlock]) -> bool:
    """Replace a block by what its records say now: by smaller ones, which are merged again later."""
    first_id, last_id = group[0].first_id, group[-1].last_id
    changed = _changed(source, first_id, last_id)
    ids = RUNS_BY_TIER[BUILT_TIERS - 1] * source.run
    tier = min(group[0].tier, BUILT_TIERS - 1)
    built_anew = []
    while first_id <= last_id:
        built_anew.append(block_build(source, first_id, min(last_id, first_id + ids - 1)))
        first_id = built_anew[-1].last_id + 1
    with transaction.atomic():
        if not _remove(group):
            return False
        for built in built_anew:
            _store(source, built, tier)
        SearchDirty.objects.filter(pk__in=changed).delete()
    return True
