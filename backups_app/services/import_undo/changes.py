"""Which rows of a run somebody has changed by hand since: the audit knows."""

import re
from typing import Any

from backups_app.models import ImportRun
from backups_app.services.import_undo.belongings import TABLES, Brought
from sessions_app.models import AuditEntry

_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def changed_since(run: ImportRun, brought: dict[int, Brought], names: dict[int, str]) -> list[str]:
    """The records of these sessions that were edited after the run, each in a sentence."""
    found = []
    for table in TABLES:
        kind = _WORDS.sub("_", table.__name__).lower()
        edits = AuditEntry.objects.filter(project_id=run.project_id, action=f"{kind}.update", at__gte=run.started_at)
        keys = [int(key) for key in edits.values_list("target_id", flat=True).distinct() if key.isdigit()]
        found += [
            f"session {names[session]!r:.300}: {table._meta.model_name} {record!r:.300} was changed since"
            for session, record in _records(table, keys, brought)
        ]
    return found


def _records(table: Any, keys: list[int], brought: dict[int, Brought]) -> list[tuple[int, str]]:
    if not keys:
        return []
    kinds, columns = TABLES[table]
    rows = table.objects.filter(pk__in=keys, session__in=brought).values_list("session_id", *columns)
    return [
        (session, record) for session, *records in rows for record in records if record in brought[session].ids(kinds)
    ]
