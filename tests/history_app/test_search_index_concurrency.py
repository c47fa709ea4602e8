"""Records committed late, or while the index is filled or searched, are never missed: with connections of their own."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from history_app.models import Message, SearchProgress
from history_app.services.search_index.filling import search_index_fill
from history_app.services.search_index.reading import search
from sessions_app.services.jobs import job_enqueue, job_run
from tests.factories import default_project, make_session

pytestmark = pytest.mark.django_db(transaction=True)

SERVED = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
PATIENCE = 60


@pytest.fixture
def session(db):
    """A session to write to."""
    default_project()
    return make_session()


def say(session, number, text="refund"):
    return Message.objects.create(
        project_id=session.project_id,
        session=session,
        record_id=f"m-{number}",
        sequence=number,
        role="user",
        content=text,
        timestamp=timezone.now(),
    )


def found(query="refund"):
    page = search(query=query, scopes={"message": Message.objects.all()}, size=1000)
    assert page.next is None
    return {hit.pk for hit in page.hits}


def aside(work):
    """Do some work in a thread, on its own connection. Returns what waits for the end, and raises what was raised."""

    def run():
        try:
            work()
        finally:
            connections.close_all()

    with_thread = ThreadPoolExecutor(1)
    future = with_thread.submit(run)
    with_thread.shutdown(wait=False)
    return lambda: future.result(PATIENCE)


def fill_twice(days=0):
    """Fill with a clock that says that everything has aged (on MariaDB ids must)."""
    for more in (0, 1):
        search_index_fill(now=timezone.now() + timedelta(days=days + more), least=1)


@SERVED
def test_a_row_with_a_lower_id_that_is_committed_late_is_not_passed_over(session):
    """The writer took its id first and commits last; the index waits for it, however often it is filled meanwhile."""
    written, go_on = threading.Event(), threading.Event()
    held = []

    def write_slowly():
        with transaction.atomic():
            held.append(say(session, 1).pk)
            written.set()
            assert go_on.wait(PATIENCE)

    join = aside(write_slowly)
    assert written.wait(PATIENCE)
    # The foreign key to the session is shared, so others may write beside it.
    later = [say(session, number).pk for number in range(2, 30)]
    assert min(later) > held[0]
    for days in (1, 5):
        fill_twice(days)
        assert SearchProgress.objects.get(record_type="message").watermark < held[0]
        assert found() == set(later)
    go_on.set()
    join()
    assert found() == {*held, *later}
    fill_twice(10)
    assert SearchProgress.objects.get(record_type="message").watermark >= held[0]
    assert found() == {*held, *later}


@SERVED
def test_two_that_fill_at_once_and_one_that_writes_leave_nothing_out(session):
    stop = threading.Event()

    def keep_filling():
        days = 1
        while not stop.is_set():
            fill_twice(days)
            days += 2

    joins = [aside(keep_filling), aside(keep_filling)]
    try:
        pks = set()
        for number in range(1, 120):
            pks.add(say(session, number).pk)
            if number % 20 == 0:
                # Each is found as soon as its write is over, also while blocks come and go underneath.
                assert found() == pks
    finally:
        stop.set()
        for join in joins:
            join()
    assert found() == pks
    fill_twice(10_000)
    assert found() == pks


def test_a_record_that_comes_during_a_search_disturbs_none_of_its_pages(session):
    old = [say(session, number).pk for number in range(1, 31)]
    fill_twice()
    scopes = {"message": Message.objects.all()}
    first = search(query="refund", scopes=scopes, size=10)
    new = say(session, 31).pk
    fill_twice(3)
    read, after = [hit.pk for hit in first.hits], first.next
    while after:
        page = search(query="refund", scopes=scopes, size=10, after=after)
        read += [hit.pk for hit in page.hits]
        after = page.next
    assert read == old[::-1]
    assert new in found()


def test_an_index_whose_claim_was_left_behind_is_filled_again_after_a_while(session):
    say(session, 1)
    now = timezone.now()
    SearchProgress.objects.create(record_type="message", claimed_until=now + timedelta(minutes=5))
    search_index_fill(now=now, least=1)
    assert SearchProgress.objects.get(record_type="message").watermark == 0
    started = time.monotonic()
    for minutes in (6, 6 * 60, 12 * 60):
        search_index_fill(now=now + timedelta(minutes=minutes), least=1)
    assert time.monotonic() - started < PATIENCE
    assert found() == set(Message.objects.values_list("pk", flat=True))
    assert connection.vendor == "mysql" or SearchProgress.objects.get(record_type="message").claimed_until is None


def test_the_job_fills_the_index(session):
    for number in range(1, 300):
        say(session, number)
    asked = job_enqueue(kind="search.fill", now=timezone.now())
    assert job_run(job_id=asked.pk) == "succeeded"
    # On MariaDB what is new must age before it is taken in.
    assert connection.vendor == "mysql" or SearchProgress.objects.get(record_type="message").watermark >= 256
