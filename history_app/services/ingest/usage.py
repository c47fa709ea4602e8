"""Token usage and costs: two records that become one row where they belong together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from history_app.models import TokenUsage
from history_app.services.drafts import CostDraft, MeasuredDraft, TokenUsageDraft
from history_app.services.ingest import statements
from history_app.services.ingest.arrivals import arrivals_note
from history_app.services.ingest.batch import Batch, Entry
from history_app.services.ingest.columns import Row, rows_read
from history_app.services.ingest.facts import RECORD_KEY, first_ones
from history_app.services.ingest.pairing import Group, PairKey, Use, grouped, pair_key
from history_app.services.ingest.same import same_draft
from history_app.services.ingest.usage_rows import COLUMNS, row_of, use_of

_SESSION = ("session_id", statements.INTEGER)
COST_KEY = (_SESSION, ("cost_record_id", statements.TEXT))
# The index of the project's usage by time leads to the few rows of one moment, however long the session is.
MOMENT_KEY = (("project_id", statements.INTEGER), ("timestamp", statements.TIME), _SESSION)


@dataclass(slots=True)
class Change:
    """What a batch does to the rows: what it adds, which costs it moves, and which rows it makes superfluous."""

    added: list[Use] = field(default_factory=list)
    moved: list[Use] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)


def usage_write(usages: Sequence[Entry], costs: Sequence[Entry], batch: Batch) -> None:
    """Store uses of tokens and costs and settle each; their sessions are locked.

    The rows of the same moments are always looked up, because a cost may join them. Records whose ids are stored at
    another moment are looked up only when the unique index objects.
    """
    if not usages and not costs:
        return
    usages, costs = first_ones(usages, batch), first_ones(costs, batch)
    beside = _beside([*usages, *costs], batch)
    try:
        with transaction.atomic():
            _write(usages, costs, beside, batch)
    except IntegrityError:
        _write(usages, costs, _all_stored(usages, costs, batch), batch)


def _write(usages: Sequence[Entry], costs: Sequence[Entry], stored: Sequence[Use], batch: Batch) -> None:
    known_uses = {(use.session, use.usage.record_id): use.usage for use in stored if use.usage}
    known_costs = {(use.session, use.cost.record_id): use.cost for use in stored if use.cost}
    new_usages = [entry for entry in usages if entry.key not in known_uses]
    new_costs = [entry for entry in costs if entry.key not in known_costs]
    _apply(_change(new_usages, new_costs, grouped(stored)), _users([*usages, *costs]), batch)
    arrivals_note(new_costs)
    batch.stored([*new_usages, *new_costs])
    for entries, known in ((usages, known_uses), (costs, known_costs)):
        for entry in entries:
            if entry.key in known:
                batch.repeated(entry, same_draft(entry.draft, known[entry.key]))


def _users(entries: Iterable[Entry]) -> dict[int, str]:
    return {entry.session.pk: entry.session.user_id for entry in entries}


def _change(usages: Sequence[Entry], costs: Sequence[Entry], groups: dict[PairKey, Group]) -> Change:
    """Pair what is new with what is stored, group by group."""
    touched: dict[PairKey, Group] = {}

    def group_of(entry: Entry, draft: MeasuredDraft) -> Group:
        key = pair_key(entry.session.pk, draft)
        return touched.setdefault(key, groups.get(key) or Group())

    for entry in usages:
        usage: TokenUsageDraft = entry.draft  # type: ignore[assignment]
        group_of(entry, usage).uses.append(Use(entry.session.pk, usage=usage))
    for entry in costs:
        cost: CostDraft = entry.draft  # type: ignore[assignment]
        group_of(entry, cost).costs.append(cost)
    change = Change()
    for key, group in touched.items():
        _compare(group, group.pair(key[0]), change)
    return change


def _compare(group: Group, wanted: Sequence[Use], change: Change) -> None:
    change.added += [use for use in wanted if use.pk is None]
    change.moved += [use for use in wanted if use.pk is not None and use.cost is not use.was]
    kept = {use.pk for use in wanted}
    change.removed += [use.pk for use in group.alone.values() if use.pk is not None and use.pk not in kept]


def _apply(change: Change, users: dict[int, str], batch: Batch) -> None:
    def row(use: Use) -> Row:
        return row_of(use, batch.project_id, users[use.session])

    if change.removed:
        TokenUsage.objects.filter(pk__in=change.removed).delete()
    # A cost leaves its former row before it joins another one: its id is unique at every moment.
    leaving = [(use.pk, None) for use in change.moved if use.was is not None]
    statements.update_rows(TokenUsage, ("cost_record_id",), leaving)
    statements.update_rows(TokenUsage, COLUMNS, [(use.pk, *row(use)) for use in change.moved])
    statements.insert_rows(TokenUsage, COLUMNS, [row(use) for use in change.added])


def _select(keys: Sequence[tuple[str, str]], values: Iterable[Row]) -> list[Use]:
    columns = ("id", *COLUMNS)
    rows = statements.select_matching(TokenUsage, columns, keys, sorted(set(values)))
    return [use_of(row) for row in rows_read(TokenUsage, columns, rows)]


def _beside(entries: Iterable[Entry], batch: Batch) -> list[Use]:
    """Return the stored uses of the entries' sessions at the entries' moments."""
    places = ((batch.project_id, e.draft.timestamp, e.session.pk) for e in entries if not e.session.made)
    return _select(MOMENT_KEY, places)


def _all_stored(usages: Sequence[Entry], costs: Sequence[Entry], batch: Batch) -> list[Use]:
    """Return the stored uses that have to do with the entries: the same ids, or the same moments."""
    by_id = [*_select(RECORD_KEY, (e.key for e in usages)), *_select(COST_KEY, (e.key for e in costs))]
    found = {use.pk: use for use in [*_beside([*usages, *costs], batch), *by_id]}
    return list(found.values())


def use_exchange(entry: Entry, batch: Batch) -> None:
    """Put a use of tokens, or a cost, in place of the stored one of its id; its session is locked.

    Who belongs together is found out anew, as if the records had come so from the beginning.
    """
    draft, session = entry.draft, entry.session
    is_cost = isinstance(draft, CostDraft)
    former = _select(COST_KEY if is_cost else RECORD_KEY, [entry.key])
    moments = {draft.timestamp, *(use.key[-1] for use in former)}
    beside = _select(MOMENT_KEY, [(batch.project_id, moment, session.pk) for moment in moments])
    groups = grouped({use.pk: use for use in [*beside, *former]}.values())
    target = groups.setdefault(pair_key(session.pk, draft), Group())  # type: ignore[arg-type]
    if is_cost:
        _cost_moved(draft, groups.values(), target)  # type: ignore[arg-type]
    else:
        _usage_moved(draft, groups.values(), target)  # type: ignore[arg-type]
    change = Change()
    for group in groups.values():
        _compare(group, group.pair(session.pk), change)
    # A use that keeps its cost has changed as well.
    change.moved += [use for use in target.uses if use.usage is draft and use not in change.moved]
    _apply(change, {session.pk: session.user_id}, batch)


def _cost_moved(cost: CostDraft, groups: Iterable[Group], target: Group) -> None:
    for group in groups:
        group.costs = [each for each in group.costs if each.record_id != cost.record_id]
    target.costs.append(cost)
    if cost.record_id in target.alone:
        target.alone[cost.record_id].cost = cost


def _usage_moved(usage: TokenUsageDraft, groups: Iterable[Group], target: Group) -> None:
    for group in groups:
        moving = [use for use in group.uses if use.usage and use.usage.record_id == usage.record_id]
        group.uses = [use for use in group.uses if use not in moving]
        for use in moving:
            use.usage = usage
            target.uses.append(use)
