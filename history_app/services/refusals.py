"""What a batch that was to be stored whole says when it was not: which of its records stood in the way, and why."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from config.shared.errors import Conflict, FieldError, InvalidInput
from history_app.services.ingest import OutcomeKind
from history_app.services.ingest.results import Outcome


def refusal_of(outcomes: Sequence[Outcome], pointers: Sequence[str]) -> InvalidInput | Conflict | None:
    """Return the error for the outcomes, each with the pointer to its record; None when nothing stands in the way.

    Records that cannot be stored are named first; a conflict is told only where nothing else is wrong.
    """
    places = list(zip(pointers, outcomes, strict=True))
    rejected = [
        FieldError(pointer + outcome.pointer, outcome.reason)
        for pointer, outcome in places
        if outcome.kind == OutcomeKind.REJECTED
    ]
    if rejected:
        return InvalidInput(rejected)
    conflicts = [pointer for pointer, outcome in places if outcome.kind == OutcomeKind.CONFLICT]
    if not conflicts:
        return None
    detail = _("Another record is stored under this record_id.")
    where = ", ".join(pointer for pointer in conflicts if pointer)
    return Conflict(f"{where}: {detail}" if where else detail)
