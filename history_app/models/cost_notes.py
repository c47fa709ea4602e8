"""What a cost record says besides the amount that counts: a note in the metadata of the use that it joined."""

import json
from decimal import Decimal
from typing import Any

# The note stands under this key. A key of the use's own by that name is kept within the note.
COST_NOTE, _OWN = "cost_record", "own"


def note_added(metadata: str | None, note: dict[str, Any]) -> str | None:
    """Return the metadata of a use of tokens, as JSON, with the note of its cost in it."""
    document = json.loads(metadata or "{}")
    if COST_NOTE in document:
        note = {**note, _OWN: document[COST_NOTE]}
    return json_of({**document, COST_NOTE: note}) if note else metadata


def note_split(metadata: str | None) -> tuple[str | None, dict[str, Any]]:
    """Return the metadata of a use of tokens without the note of its cost, and that note."""
    if metadata is None or COST_NOTE not in metadata:
        return metadata, {}
    document, note = note_taken_out(json.loads(metadata))
    return json_of(document), note


def note_taken_out(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what `note_split` does, of metadata that is no text."""
    note = dict(document.get(COST_NOTE, {}))
    kept = {key: value for key, value in document.items() if key != COST_NOTE}
    if _OWN in note:
        kept[COST_NOTE] = note.pop(_OWN)
    return kept, note


def stated_cost(note: dict[str, Any]) -> Decimal | None:
    """Return the cost that the use of tokens stated itself, by the note of its cost record."""
    return Decimal(note["stated_cost"]) if "stated_cost" in note else None


def json_of(document: dict[str, Any]) -> str | None:
    """Return a document as JSON, as it is stored; an empty one is None."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) if document else None
