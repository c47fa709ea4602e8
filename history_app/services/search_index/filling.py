"""Filling: records behind the watermark become blocks, small blocks become large ones, changed ones are built anew.

Everything here may be stopped at any moment, run again, and run twice at once: a block is stored in one transaction
that succeeds only when what it was made from is still so.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from history_app.models import Fact, SearchBlock, SearchDirty, SearchPage, SearchProgress
from history_app.services.search_index.building import BuiltBlock, block_build
from history_app.services.search_index.postings import RUNS_PER_BLOCK
from history_app.services.search_index.settled import settled_id
from history_app.services.search_index.sources import RECORD_TYPE_OF, SOURCES, Source

# Runs of a block by tier. So many blocks of one tier, one after the other, become one of the next.
RUNS_BY_TIER = (RUNS_PER_BLOCK // 256, RUNS_PER_BLOCK // 16, RUNS_PER_BLOCK)
FANOUT = 16
# A search looks at changed records one by one; more than these are too many for that.
DIRTY_LIMIT = 256
CLAIM = timedelta(minutes=5)
# One call stores at most so many blocks, so that a job stays short; the next one goes on.
BLOCKS_PER_CALL = 64
PAGES_PER_INSERT = 200


@dataclass(frozen=True)
class FillResult:
    """What one call did: how many blocks it added, and how often it merged blocks or built one anew."""

    added: int = 0
    rebuilt: int = 0

    def __add__(self, other: "FillResult") -> "FillResult":
        return FillResult(self.added + other.added, self.rebuilt + other.rebuilt)


def search_index_fill(*, now: datetime, blocks: int = BLOCKS_PER_CALL, least: int | None = None) -> FillResult:
    """Bring the index up to date, storing at most `blocks` blocks of each table, and say what was done.

    Fewer than a block of the lowest tier, or `least` ids, stay for the next time: a search reads them themselves.
    """
    done = FillResult()
    for source in SOURCES.values():
        progress, _created = SearchProgress.objects.get_or_create(record_type=source.record_type)
        if not _claim(progress, now):
            continue
        try:
            done += _fill(source, progress, now, blocks, least)
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


def _claim(progress: SearchProgress, now: datetime) -> bool:
    """Return whether the work on this table is ours. It only saves work: nothing goes wrong when two have it."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    return bool(SearchProgress.objects.filter(free, pk=progress.pk).update(claimed_until=now + CLAIM))


def _fill(source: Source, progress: SearchProgress, now: datetime, blocks: int, least: int | None) -> FillResult:
    added = rebuilt = 0
    settled = settled_id(source, progress, now=now)
    while added < blocks and (span := _next_span(source, settled - progress.watermark, least)):
        tier, ids = span
        first = progress.watermark + 1
        if not _append(source, progress, first, first + ids - 1, tier):
            break
        added += 1
    while added + rebuilt < blocks and (group := _mergeable(source) or _too_dirty(source)):
        if not _rebuild(source, group):
            break
        rebuilt += 1
    return FillResult(added, rebuilt)


def _next_span(source: Source, waiting: int, least: int | None) -> tuple[int, int] | None:
    """Return the tier and the number of ids of the next block, or None when too few ids wait."""
    for tier in reversed(range(len(RUNS_BY_TIER))):
        if waiting >= RUNS_BY_TIER[tier] * source.run:
            return tier, RUNS_BY_TIER[tier] * source.run
    return (0, waiting) if least is not None and waiting >= max(least, 1) else None


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
            SearchDirty.objects.filter(pk__in=changed).delete()
    except IntegrityError:
        return False
    progress.watermark = built.last_id
    return True


def _changed(source: Source, first_id: int, last_id: int) -> list[int]:
    """Return the notes of changes that whoever reads these records from now on is sure to see."""
    notes = SearchDirty.objects.filter(record_type=source.record_type)
    return list(notes.filter(record_pk__gte=first_id, record_pk__lte=last_id).values_list("pk", flat=True))


def _store(source: Source, built: BuiltBlock, tier: int) -> None:
    block = SearchBlock.objects.create(
        record_type=source.record_type,
        first_id=built.first_id,
        last_id=built.last_id,
        tier=tier,
        pages=len(built.pages),
        oldest=built.oldest,
        newest=built.newest,
        run_times=built.run_times,
    )
    pages = [SearchPage(block=block, number=number, content=content) for number, content in enumerate(built.pages)]
    SearchPage.objects.bulk_create(pages, batch_size=PAGES_PER_INSERT)


def _mergeable(source: Source) -> list[SearchBlock]:
    """Return blocks of one tier, one after the other, that are to become one of the next tier."""
    blocks = SearchBlock.objects.filter(record_type=source.record_type, tier__lt=len(RUNS_BY_TIER) - 1)
    group: list[SearchBlock] = []
    for block in blocks.defer("run_times").order_by("first_id"):
        if group and (block.tier != group[-1].tier or block.first_id != group[-1].last_id + 1):
            group = []
        group.append(block)
        if len(group) == FANOUT:
            return group
    return []


def _too_dirty(source: Source) -> list[SearchBlock]:
    """Return the block with the most changed records, when there are too many of them altogether."""
    notes = SearchDirty.objects.filter(record_type=source.record_type)
    changed = list(notes.values_list("record_pk", flat=True))
    if len(changed) <= DIRTY_LIMIT:
        return []
    blocks = list(SearchBlock.objects.filter(record_type=source.record_type).defer("run_times").order_by("first_id"))
    begins = [block.first_id for block in blocks]
    places = (bisect_right(begins, pk) - 1 for pk in changed)
    counts = Counter(
        place for place, pk in zip(places, changed, strict=True) if place >= 0 <= blocks[place].last_id - pk
    )
    return [blocks[place] for place, _count in counts.most_common(1)]


def _rebuild(source: Source, group: Sequence[SearchBlock]) -> bool:
    """Replace blocks by what their records say now: one block, or several where the records are very large."""
    first_id, last_id = group[0].first_id, group[-1].last_id
    changed = _changed(source, first_id, last_id)
    tier = group[0].tier + (len(group) > 1)
    replaced = [block.pk for block in group]
    built_anew = _built(source, first_id, last_id)
    with transaction.atomic():
        SearchPage.objects.filter(block_id__in=replaced).delete()
        deleted, _per_model = SearchBlock.objects.filter(pk__in=replaced).delete()
        if deleted != len(replaced):
            transaction.set_rollback(True)
            return False
        for built in built_anew:
            _store(source, built, tier)
        SearchDirty.objects.filter(pk__in=changed).delete()
    return True


def _built(source: Source, first_id: int, last_id: int) -> list[BuiltBlock]:
    blocks = []
    while first_id <= last_id:
        blocks.append(block_build(source, first_id, last_id))
        first_id = blocks[-1].last_id + 1
    return blocks
