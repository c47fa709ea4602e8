"""What a search within one session shows: where the text stands, with a way to each place of the conversation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from history_app.admin.conversation.window import Key, Kind
from history_app.services.search_index.reading import Hit, search
from history_app.services.search_index.showing import marked
from sessions_app.models import Session

FINDS_AT_MOST = 50
LONGEST_QUERY = 1000


@dataclass(frozen=True, slots=True)
class Find:
    """One place: `key` is the entry's, `before` the one that a window beginning with the entry comes after."""

    kind: str
    timestamp: datetime
    key: Key
    before: Key
    snippet: SafeString


@dataclass(frozen=True, slots=True)
class Finds:
    """What was found, newest first, and whether there is more."""

    query: str
    finds: list[Find]
    more: bool


def finds_in(session: Session, kinds: tuple[Kind, ...], query: str) -> Finds:
    """Return where the session's messages and tool calls hold the query."""
    searched = {kind.name: kind for kind in kinds if kind.name in ("message", "tool_call")}
    scopes: dict[str, Any] = {
        name: kind.model._default_manager.filter(session=session) for name, kind in searched.items()
    }
    page = search(query=query[:LONGEST_QUERY], scopes=scopes, size=FINDS_AT_MOST, narrow=True)
    keys = _keys(page.hits, searched)
    found = [
        Find(
            kind=hit.record_type,
            timestamp=hit.timestamp,
            key=key,
            before=Key(key.at, key.rank, key.tie - 1),
            # `marked` escapes what was said; only its own marks are HTML.
            snippet=mark_safe(marked(hit.snippet)),  # noqa: S308
        )
        for hit in page.hits
        if (key := keys.get((hit.record_type, hit.pk))) is not None
    ]
    return Finds(query, found, page.next is not None)


def _keys(hits: list[Hit], kinds: dict[str, Kind]) -> dict[tuple[str, int], Key]:
    """Return the places of the hits in the conversation, with one query a kind."""
    keys = {}
    for name, kind in kinds.items():
        pks = [hit.pk for hit in hits if hit.record_type == name]
        rows = kind.model._default_manager.filter(pk__in=pks)
        for pk, at, tie in rows.values_list("pk", "timestamp", kind.tie):
            keys[name, pk] = Key(at, kind.rank, tie)
    return keys
