"""The bytes of a stream: records as server-sent events, heartbeats, and the reason of an end."""

from collections.abc import Iterator

from django.conf import settings
from django.db import connections

from config.shared.api.renderers import dump_answer
from config.shared.callers import Caller
from config.shared.web_process import web_process
from history_app.api.live.hub import RECORDS_PER_PAGE, Hub
from history_app.api.live.watch import End, Watch
from history_app.api.views.timeline import masked
from history_app.selectors.record_forms import Record
from history_app.selectors.tail import Page, tail_page
from history_app.selectors.tail_position import Position

# How long a client waits before it comes back.
RETRY_MILLISECONDS = 2000
HEARTBEAT = b":\n\n"
# Reasons that a client is told; the others it can't hear, or finds out by coming back.
TOLD = (End.DELETED, End.REFUSED)


def events(watch: Watch, position: Position, caller: Caller, hub: Hub) -> Iterator[bytes]:
    """Yield the session's records after the position, then what comes, for as long as the stream lives.

    What is there already is read page by page in this thread; what comes, the hub reads. The thread holds no place of
    a request, and while it waits no connection to the database.
    """
    web_process.places.leave()
    hub.join(watch)
    try:
        for chunk in _chunks(watch, position, caller, hub):
            watch.sending()
            yield chunk
            watch.sent()
    finally:
        hub.leave(watch)


def _chunks(watch: Watch, position: Position, caller: Caller, hub: Hub) -> Iterator[bytes]:
    # An id without data is no event, but from now on it is what the client comes back with.
    yield b"retry: %d\nid: %s\n\n" % (RETRY_MILLISECONDS, str(position).encode())
    page: Page | End | None
    for page in _replayed(watch, position):
        yield from _sent(position, page, caller)
        position = page.end
    _release_connection()
    while True:
        page = watch.ask(position, settings.EVENT_HEARTBEAT)
        if isinstance(page, End):
            yield from [_end(page)] if page in TOLD else []
            return
        if page is None:
            yield HEARTBEAT
            continue
        yield from _sent(position, page, caller)
        position = page.end
        if not page.is_last:
            hub.hurry()


def _replayed(watch: Watch, position: Position) -> Iterator[Page]:
    """Yield pages up to the last one that is there, unless the stream is told to end."""
    while watch.end is None:
        page = tail_page(watch.wish.session, position, watch.wish.kinds, limit=RECORDS_PER_PAGE)
        yield page
        position = page.end
        if page.is_last:
            return


def _sent(position: Position, page: Page, caller: Caller) -> Iterator[bytes]:
    """Yield the events of a page that was read from the position."""
    for reached, record in page.records:
        yield event(reached, record if caller.can_see_contents else masked(record))
        position = reached
    if position != page.end:
        yield b"id: %s\n\n" % str(page.end).encode()


def event(position: Position, record: Record) -> bytes:
    """Return one record as an event. Line breaks can stand in stored JSON, between its words only."""
    data = dump_answer(record).replace(b"\r", b" ").replace(b"\n", b" ")
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(position).encode(), record["record_type"].encode(), data)


def _end(reason: End) -> bytes:
    return b"event: end\ndata: %s\n\n" % dump_answer({"reason": reason.value})


def _release_connection() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
