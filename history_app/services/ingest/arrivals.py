"""Notes the arrival of records that share a row, so that a live tail delivers each of them once, in their order."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from history_app.models import Arrival
from history_app.services.drafts import CostDraft, Draft, LLMRequestDraft, LLMResponseDraft
from history_app.services.ingest import statements
from history_app.services.ingest.batch import Entry

RECORD_TYPE_OF: dict[type[Draft], str] = {
    LLMRequestDraft: "llm_request",
    LLMResponseDraft: "llm_response",
    CostDraft: "cost",
}
_COLUMNS = ("session_id", "record_type", "record_id")
_KEY = (("session_id", statements.INTEGER), ("record_type", statements.TEXT), ("record_id", statements.TEXT))


def arrivals_note(entries: Iterable[Entry]) -> None:
    """Note that these records are new; their sessions are locked, so the notes of one session stand in its order."""
    rows = [(entry.session.pk, RECORD_TYPE_OF[type(entry.draft)], entry.draft.record_id) for entry in entries]
    if not rows:
        return
    try:
        with transaction.atomic():
            statements.insert_rows(Arrival, _COLUMNS, rows)
    except IntegrityError:
        # The record was there before and has been removed since: it arrives anew.
        former = [pk for (pk,) in statements.select_matching(Arrival, ("id",), _KEY, rows)]
        Arrival.objects.filter(pk__in=former).delete()
        statements.insert_rows(Arrival, _COLUMNS, rows)
