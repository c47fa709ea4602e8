"""Makes a tool call of a row of `tool_logs`."""

import hashlib
from datetime import datetime
from typing import Any

from backups_app.legacy.columns import RowTaking
from backups_app.legacy.fields import AS_FOUND, NAME_LENGTH
from backups_app.legacy.history_store.records import UNNAMED
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.types import Finding, LegacyConfig, LegacyRecord, Level

TOOL_CALL = "tool_call"
SECTION = "tool_calls"
# A longer one is no duration; and sums of those that are stay finite on every database.
# The old statistics took whatever is no success for a failure.
STATUSES = {"success": "success", "error": "error", "pending": "pending", "ok": "success", "completed": "success"}
_COLUMNS = frozenset(
    {"log_id", "task_id", "tool_name", "tool_args", "tool_result", "execution_time", "status", "error_message"}
    | {"created_at"}
)


def call_of(
    taking: RowTaking, name: str, session_id: str, task: str | None, stands_in: datetime
) -> tuple[LegacyRecord, LegacyConfig | None]:
    """The call of a row under its record id, with secrets masked; and the setting that seals them, if there are any."""
    moment = taking.moment("created_at")
    if moment is None:
        taking.repairs.append(("no_time", f"created_at: no time; {stands_in.isoformat()} stands in"))
    fields: dict[str, Any] = {
        "tool_name": taking.required("tool_name", UNNAMED),
        "tool_input": taking.json("tool_args"),
        "tool_output": taking.json("tool_result"),
        "status": taking.word("status", STATUSES, "pending" if taking.raw.get("status") is None else "error"),
        "error_message": taking.long_text("error_message"),
        "execution_time": taking.seconds("execution_time"),
    }
    if task is not None:
        fields["task"] = task
    if fields["status"] == "success" and fields["error_message"]:
        detail = "status: success, and yet with an error message; both are kept"
        taking.reading.report(Finding(Level.NOTE, "status_and_error", taking.place, detail, TOOL_CALL))
    taking.keep_unknown(_COLUMNS)
    config = sealed_secrets(name, session_id, fields, taking)
    taking.tell()
    record = LegacyRecord(
        kind=TOOL_CALL,
        session_id=session_id,
        record_id=name,
        timestamp=moment or stands_in,
        fields={**fields, "metadata": taking.metadata},
        place=taking.place,
        repaired=bool(taking.repairs),
        size=taking.size,
    )
    return record, config


def sealed_secrets(name: str, session_id: str, fields: dict[str, Any], taking: RowTaking) -> LegacyConfig | None:
    """Mask the secrets that the tool was given; what they are comes back as a setting that seals them."""
    value: dict[str, Any] = {}
    sealed: dict[str, str] = {}
    # In hexadecimal a secret would not be found.
    taking.metadata.get(AS_FOUND, {}).pop("tool_args_hex", None)
    for part, found in (("tool_input", fields["tool_input"]), ("metadata", taking.metadata)):
        masked, secrets = split_secrets(found)
        if secrets:
            value[part] = masked
            sealed.update({f"/{part}{pointer}": secret for pointer, secret in secrets.items()})
    fields["tool_input"] = value.get("tool_input", fields["tool_input"])
    taking.metadata = value.get("metadata", taking.metadata)
    if not sealed:
        return None
    key = f"{SECTION}.{session_id}.{name}"
    if len(key) > NAME_LENGTH:
        key = f"{SECTION}.{hashlib.sha256(key.encode()).hexdigest()}"
    detail = f"{len(sealed)} secrets were masked in the call and sealed as {key!r:.300}"
    taking.reading.report(Finding(Level.NOTE, "secrets_sealed", taking.place, detail, TOOL_CALL))
    return LegacyConfig(key, SECTION, value, taking.place, sealed)
