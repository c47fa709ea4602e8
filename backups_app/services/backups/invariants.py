"""What must be true between the rows of a store, asked of a scratch store: how many rows are not so, and what adds up.

A store with such faults is restored as it was, for it was no better before; the doctor repairs them.
"""

import sqlite3

# Each is a number of rows. Names of tables and columns are those of this version's models.
# ruff: noqa: S608
_FACTS = (
    "history_app_message", "history_app_toolcall", "history_app_llmcall", "history_app_errorrecord",
    "history_app_metric", "history_app_tokenusage",
)  # fmt: skip
_NUMBERS = "(SELECT session_id, COUNT(*) AS held, MAX(sequence) AS highest FROM history_app_message GROUP BY 1)"
_ACTIVITY = f"sessions_app_sessionactivity a LEFT JOIN {_NUMBERS} m ON m.session_id = a.session_id"
_FINDINGS = {
    "numbering_behind": f"SELECT COUNT(*) FROM {_ACTIVITY} WHERE a.last_sequence < COALESCE(m.highest, 0)",
    "message_count_wrong": f"SELECT COUNT(*) FROM {_ACTIVITY} WHERE a.message_count <> COALESCE(m.held, 0)",
    "facts_of_another_project": "SELECT "
    + " + ".join(
        f"(SELECT COUNT(*) FROM {table} f JOIN sessions_app_session s ON s.id = f.session_id "
        "WHERE f.project_id <> s.project_id)"
        for table in _FACTS
    ),
}
_TOTALS = {
    "sessions": "SELECT COUNT(*) FROM sessions_app_session",
    "messages": "SELECT COUNT(*) FROM history_app_message",
    "prompt_tokens": "SELECT COALESCE(SUM(prompt_tokens), 0) FROM history_app_tokenusage",
    "completion_tokens": "SELECT COALESCE(SUM(completion_tokens), 0) FROM history_app_tokenusage",
    "total_tokens": "SELECT COALESCE(SUM(total_tokens), 0) FROM history_app_tokenusage",
}


def findings_of(raw: sqlite3.Connection) -> dict[str, int]:
    """Return how many rows break each rule."""
    return {name: int(raw.execute(statement).fetchone()[0]) for name, statement in _FINDINGS.items()}


def totals_of(raw: sqlite3.Connection) -> dict[str, int]:
    """Return what the store adds up to."""
    return {name: int(raw.execute(statement).fetchone()[0]) for name, statement in _TOTALS.items()}
