"""Brings in history: records become drafts by the one validator, and go through the bulk writer in batches."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from backups_app.services.legacy_import.conflicts import (
    OnConflict,
    kept_beside_finding,
    record_beside,
    record_replace,
)
from backups_app.services.legacy_import.items import ImportContext
from backups_app.services.legacy_reading.entries import ReadRecord, raw_record
from config.shared.errors import InvalidInput, TooLarge
from history_app.services.drafts import Draft
from history_app.services.ingest import Outcome, OutcomeKind, records_write
from history_app.services.records import record_parse
from sessions_app.models import Session
from sessions_app.services.drafts import SessionDraft
from sessions_app.services.session_batches import PLACEHOLDER, sessions_write

PLACEHOLDER_KIND = "placeholder_session"
TASK_KIND, STEP_KIND = "task", "subtask"
RESULTS = {"new": "new", "same": "same", "conflict": "conflicting", "rejected": "rejected"}

_Written = tuple[ReadRecord, Draft, Outcome, int | None]


class RecordImport:
    """Collects the records of a batch, and writes them with one call of the bulk writer."""

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._records: list[ReadRecord] = []
        self._drafts: list[Draft] = []

    def add(self, record: ReadRecord) -> None:
        """Take one record on."""
        context = self._context
        counts = context.report.kinds[record.kind]
        counts.read += 1
        counts.zoneless += record.zoneless
        if steps := _steps(record):
            context.report.kinds[STEP_KIND].read += steps
        if record.repeated:
            self._count(record, "same")
            return
        draft = record.draft or self._parsed(record)
        if draft is not None:
            self._records.append(record)
            self._drafts.append(draft)

    def _parsed(self, record: ReadRecord) -> Draft | None:
        """The draft of a record to which the validator objected as it was read, or why it cannot be stored."""
        raw = raw_record(record.record)
        try:
            return record_parse(raw, now=self._context.now)
        except (InvalidInput, TooLarge) as error:
            self._count(record, "rejected")
            self._context.refuse(record.kind, record.place, str(error), raw)
            return None

    def flush(self) -> None:
        """Write what is waiting."""
        records, drafts = self._records, self._drafts
        self._records, self._drafts = [], []
        if not drafts:
            return
        if self._context.renamed:
            drafts = [self._following(draft) for draft in drafts]
        self._ensure_sessions(drafts)
        fresh, contradicting = [], []
        for record, draft, outcome, session in self._written(records, drafts):
            if outcome.kind is OutcomeKind.NEW and record.kind != TASK_KIND:
                fresh.append((record, session))
            elif outcome.kind == OutcomeKind.CONFLICT and self._context.on_conflict != OnConflict.KEEP:
                contradicting.append((record, draft))
            else:
                self._settle(record, outcome, session)
        self._settle_new(fresh)
        if contradicting:
            self._solve(contradicting)

    def _following(self, draft: Draft) -> Draft:
        """The draft in the session that was renamed, where its session was."""
        name = self._context.renamed.get(draft.session_id)
        return draft if name is None else replace(draft, session_id=name)

    def _written(self, records: list[ReadRecord], drafts: list[Draft]) -> Iterator[_Written]:
        context = self._context
        result = records_write(project_id=context.project_id, drafts=drafts, now=context.now)
        pks = result.session_pks
        for record, draft, outcome in zip(records, drafts, result.outcomes, strict=True):
            yield record, draft, outcome, pks.get(draft.session_id)

    def _solve(self, contradicting: list[tuple[ReadRecord, Draft]]) -> None:
        """Replace what is stored, or keep both, as was asked for."""
        if self._context.on_conflict == OnConflict.REPLACE:
            for record, draft in contradicting:
                self._replace(record, draft)
            return
        beside = [record_beside(record, draft) for record, draft in contradicting]
        for record, _draft, outcome, session in self._written(
            [each for each, _ in beside], [each for _, each in beside]
        ):
            solved = "both" if outcome.kind == OutcomeKind.NEW else ""
            self._settle(record, outcome, session, solved=solved)

    def _replace(self, record: ReadRecord, draft: Draft) -> None:
        pk, why = record_replace(record.record, draft, self._context)
        if pk is None:
            self._count(record, "conflicting")
            self._context.contradict(record.kind, record.place, why, raw_record(record.record))
            return
        self._count(record, "conflicting", solved="replaced")
        self._context.brought(f"replaced_{record.kind}", record.record_id, record.place, pk, record.zoneless)
        self._context.report.add_sums(record, is_new=False)

    def _settle_new(self, fresh: list[tuple[ReadRecord, int | None]]) -> None:
        """Settle records that are new and come without steps, as nearly all do: counted together, a kind at a time."""
        context = self._context
        report, origins = context.report, context.origins
        for kind, number in Counter(record.kind for record, _session in fresh).items():
            report.kinds[kind].new += number
        for kind, number in Counter(record.kind for record, _session in fresh if record.repaired).items():
            report.kinds[kind].repaired += number
        zone = str(context.zone)
        for record, session in fresh:
            assumed = zone if record.zoneless else ""
            origins.add(record.kind, record.record_id, record.place, session, assumed)
            report.add_sums(record, is_new=True)

    def _settle(self, record: ReadRecord, outcome: Outcome, session: int | None, *, solved: str = "") -> None:
        context, report, result = self._context, self._context.report, RESULTS[outcome.kind.value]
        self._count(record, "conflicting" if solved else result, solved=solved)
        if result in ("new", "same"):
            report.add_sums(record, is_new=result == "new")
            if result == "new":
                context.brought(record.kind, record.record_id, record.place, session, record.zoneless)
            if solved:
                context.log.add_note(kept_beside_finding(record.kind, record, record.record_id))
            return
        detail = f"{outcome.pointer}: {outcome.reason}"
        tell = context.contradict if result == "conflicting" else context.refuse
        tell(record.kind, record.place, detail, raw_record(record.record))

    def _count(self, record: ReadRecord, result: str, *, solved: str = "") -> None:
        """Count what became of a record; the steps of a task share its lot."""
        repaired = record.repaired and result != "rejected"
        self._context.settle(record.kind, result, repaired=repaired, solved=solved)
        for _step in range(_steps(record)):
            self._context.settle(STEP_KIND, result, solved=solved)

    def _ensure_sessions(self, drafts: list[Draft]) -> None:
        """Make placeholders for sessions that no file and no table tells of; a later import may fill them."""
        context = self._context
        begun: dict[str, datetime] = {}
        for draft in drafts:
            if draft.session_id not in context.sessions:
                begun[draft.session_id] = min(draft.timestamp, begun.get(draft.session_id, draft.timestamp))
        if not begun:
            return
        rows = Session.objects.filter(project_id=context.project_id, session_id__in=begun)
        stored = {row.session_id: row for row in rows}
        missing = [_placeholder(name, begun[name]) for name in sorted(begun.keys() - stored.keys())]
        outcomes = sessions_write(project_id=context.project_id, drafts=missing, now=context.now)
        for made, outcome in zip(missing, outcomes, strict=True):
            context.brought(PLACEHOLDER_KIND, made.session_id, None, outcome.pk)
        self._count_placeholders(len(missing), sum(bool(row.metadata.get(PLACEHOLDER)) for row in stored.values()))
        context.sessions.update(begun)

    def _count_placeholders(self, made: int, found: int) -> None:
        counts = self._context.report.kinds[PLACEHOLDER_KIND]
        counts.read += made + found
        counts.new += made
        counts.same += found


def _steps(record: ReadRecord) -> int:
    """How many subtasks come along with a record."""
    return len(record.record.fields.get("subtasks") or ()) if record.kind == TASK_KIND else 0


def _placeholder(session_id: str, begun: datetime) -> SessionDraft:
    return SessionDraft(
        session_id=session_id,
        status=Session.Status.INACTIVE.value,
        metadata={PLACEHOLDER: True},
        created_at=begun,
        updated_at=begun,
    )
