"""Labels: the tags and plain metadata values of sessions, kept beside them so that every database can find by them."""

from collections.abc import Iterable, Iterator
from typing import Any

from config.shared.bulk_rows import rows_insert
from sessions_app.models import Session, SessionLabel
from sessions_app.models.sessions import LABEL_LENGTH

KEY_LENGTH = 100


def label_rows(session: Session) -> Iterator[SessionLabel]:
    """Yield the rows for one session: each different tag, and each scalar of the metadata's first level."""
    for tag in dict.fromkeys(session.tags):
        yield SessionLabel(session=session, kind=SessionLabel.Kind.TAG, key="", value=tag)
    for key, value in session.metadata.items():
        text = label_text(value)
        if text is not None and len(text) <= LABEL_LENGTH and len(key) <= KEY_LENGTH:
            yield SessionLabel(session=session, kind=SessionLabel.Kind.METADATA, key=key, value=text)


def label_text(value: Any) -> str | None:
    """Return a scalar as a query string would say it (true, 5, text), or None for null and documents."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def labels_replace(*, sessions: Iterable[Session], are_new: bool = False) -> None:
    """Make the label rows of these sessions what their tags and metadata say."""
    sessions = list(sessions)
    if not are_new:
        SessionLabel.objects.filter(session__in=sessions).delete()
    rows_insert([row for session in sessions for row in label_rows(session)])
