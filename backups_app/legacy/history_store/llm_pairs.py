"""Joins the requests and responses of model calls where the old store gave them no common id."""

from collections.abc import Iterable

from backups_app.legacy.types import LegacyRecord


class LLMPairs:
    """Remembers which requests are still unanswered, and gives each response the id of the latest one of its model.

    A request without `request_id` is known by its own record id; a response without one takes that of the latest
    unanswered request of the same session and model. Feed records in the order in which they were written.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], list[str]] = {}
        # What each record was given, so that a line that stands in the file twice neither asks nor answers twice.
        self._given: dict[tuple[str, str], str | None] = {}

    def join(self, records: Iterable[LegacyRecord]) -> None:
        """Set `request_id` on the requests and responses among `records`."""
        for record in records:
            if record.kind in ("llm_request", "llm_response"):
                key = (record.session_id, record.record_id)
                if key not in self._given:
                    self._given[key] = self._ask(record) if record.kind == "llm_request" else self._answer(record)
                record.fields["request_id"] = self._given[key]

    def _ask(self, record: LegacyRecord) -> str:
        request_id: str = record.fields["request_id"] or record.record_id
        self._waiting.setdefault((record.session_id, record.fields["model"]), []).append(request_id)
        return request_id

    def _answer(self, record: LegacyRecord) -> str | None:
        waiting = self._waiting.get((record.session_id, record.fields["model"]), [])
        given: str | None = record.fields["request_id"]
        if given in waiting:
            waiting.remove(given)
        return given or (waiting.pop() if waiting else None)
