"""JSON merge patch: how a PATCH changes a JSON document."""

from collections.abc import Mapping
from typing import Any


def patched(stored: Any, stated: Any) -> Any:
    """Return a field after a PATCH: objects merge, null empties a document, everything else replaces."""
    if stated is None and isinstance(stored, dict | list):
        return type(stored)()
    return merge_patch(stored, stated) if isinstance(stated, Mapping) else stated


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the document after the patch (RFC 7396): objects merge by key, null removes, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
