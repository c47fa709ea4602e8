"""The life of a session: which status may follow which (the table is `Session.PATHS`)."""

from config.shared.errors import Conflict
from sessions_app.models import Session


def status_change_check(*, current: str, wanted: str) -> None:
    """Raise Conflict when a session cannot go from one status to the other; staying where it is is no change."""
    allowed = Session.PATHS[Session.Status(current)]
    if wanted != current and wanted not in allowed:
        ways = f"It may become: {', '.join(allowed)}." if allowed else "It stays so."
        raise Conflict(f"A session that is {current} does not become {wanted}. {ways}")
