"""The audit: one entry a change, written in the transaction of the change and chained to the entry before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from config.shared.callers import Caller
from sessions_app.models import AuditChain, AuditEntry

ACTOR_LENGTH = 255
TARGET_LENGTH = 600
HIDDEN = "********"


@transaction.atomic
def audit_record(
    *,
    project_id: int,
    caller: Caller,
    action: str,
    target_type: str,
    target_id: str,
    changes: Mapping[str, Any] | None = None,
    now: datetime,
) -> AuditEntry:
    """Append one entry to the project's chain, in the caller's transaction.

    `changes` is JSON without secrets: what was changed, by field. The chain row's lock puts concurrent entries in
    one order, and is held until the surrounding transaction ends.
    """
    AuditChain.objects.get_or_create(project_id=project_id)
    chain = AuditChain.objects.select_for_update().get(project_id=project_id)
    entry = AuditEntry(
        project_id=project_id,
        number=chain.last_number + 1,
        at=now,
        actor_kind=caller.kind,
        actor=caller.name[:ACTOR_LENGTH],
        action=action,
        target_type=target_type,
        target_id=target_id[:TARGET_LENGTH],
        changes=dict(changes or {}),  # type: ignore[misc]
        previous_hash=chain.last_hash,
    )
    entry.entry_hash = entry_hash(entry)
    entry.save(force_insert=True)
    AuditChain.objects.filter(pk=chain.pk).update(last_number=entry.number, last_hash=entry.entry_hash)
    return entry


def entry_hash(entry: AuditEntry) -> str:
    """Return the SHA-256 over the whole entry and the hash of the one before it, as 64 hexadecimal digits."""
    told = [
        entry.project_id,
        entry.number,
        entry.at.astimezone(UTC).isoformat(),
        entry.actor_kind,
        entry.actor,
        entry.action,
        entry.target_type,
        entry.target_id,
        entry.changes,
        entry.previous_hash,
    ]
    text = json.dumps(told, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def audit_verify(*, project_id: int) -> int | None:
    """Return None when the project's chain is whole, else the number of the first entry that is changed or missing.

    Reads in order and by row, so that a chain of any length fits in memory.
    """
    previous, number = "", 0
    for entry in AuditEntry.objects.filter(project_id=project_id).order_by("number").iterator(chunk_size=1000):
        number += 1
        if (entry.number, entry.previous_hash, entry.entry_hash) != (number, previous, entry_hash(entry)):
            return number
        previous = entry.entry_hash
    chain = AuditChain.objects.filter(project_id=project_id).first()
    whole = (chain.last_number, chain.last_hash) == (number, previous) if chain else number == 0
    return None if whole else number + 1


def changed_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{field: [before, after]}` for the fields that differ."""
    return {name: [before.get(name), after[name]] for name in after if before.get(name) != after[name]}
