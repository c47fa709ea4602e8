"""Which colour a word of state has in lists."""

STATUS_COLOURS = {
    "active": "success",
    "running": "info",
    "in_progress": "info",
    "success": "success",
    "completed": "success",
    "succeeded": "success",
    "queued": "info",
    "parked": "danger",
    "paused": "warning",
    "pending": "warning",
    "warning": "warning",
    "conflict": "warning",
    "repaired": "info",
    "verified": "success",
    "damaged": "danger",
    "dry_run": "info",
    "failed": "danger",
    "interrupted": "warning",
    "undone": "warning",
    "error": "danger",
    "critical": "danger",
    "rejected": "danger",
}


def status_label(row: object, field: str) -> tuple[str, object]:
    """Return the value and its readable form, as Unfold's label wants them."""
    return getattr(row, field), getattr(row, f"get_{field}_display")()
