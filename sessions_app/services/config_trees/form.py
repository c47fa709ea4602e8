"""What a configs tree looks like: the names of its files, and what stands in which of them."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from config.shared.callers import Caller
from sessions_app.services.audit import audit_record

INDEX = "agentledger.yaml"
FORMAT = "agentledger-configs/1"
WORKFLOWS, GLOBAL = "workflows", "global"
SAFE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.\-]{0,120}")
COLUMNS = ("name", "description", "version", "config_path", "layout_algorithm")
DOCUMENTS = {"nodes": list, "edges": list, "node_positions": dict, "visualization_settings": dict}
# What an import takes at most.
MOST_FILES, MOST_BYTES = 10_000, 8_000_000

Tree = dict[str, bytes]


def tree_audit(project_id: int, action: str, changes: Mapping[str, Any], caller: Caller, now: datetime) -> None:
    """Note that a tree went out or came in."""
    audit_record(
        project_id=project_id,
        caller=caller,
        action=action,
        target_type="configs",
        target_id="",
        changes=changes,
        now=now,
    )
