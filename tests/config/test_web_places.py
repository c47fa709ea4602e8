"""Requests in progress: how many there are at once, and whose connections to the database they use."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from config.shared.web_process import RequestPlaces

pytestmark = pytest.mark.django_db(transaction=True)

PLACES, THREADS = 2, 8


@pytest.fixture
def places():
    made = RequestPlaces()
    made.limit(PLACES)
    yield made
    with ThreadPoolExecutor(PLACES) as threads:
        both = threading.Barrier(PLACES)
        list(threads.map(lambda _number: _close(made, both), range(PLACES)))


def _close(places, both):
    with places.taken():
        both.wait(30)
        connections.close_all()


def _asked(places, started=None):
    """Ask the database as a request does, and return which connection answered."""
    with places.taken(), connection.cursor() as cursor:
        if started:
            started.wait(30)
        cursor.execute("SELECT 1")
        assert cursor.fetchone()[0] == 1
        return id(connection.connection)


def test_more_threads_than_places_share_the_connections_of_the_places(places):
    with ThreadPoolExecutor(THREADS) as threads:
        together = threading.Barrier(PLACES)
        used = list(threads.map(lambda _number: _asked(places, together), range(PLACES * 10)))
    assert len(set(used)) == PLACES


def test_requests_one_after_the_other_stay_on_one_connection(places):
    used = []
    for _ in range(THREADS):
        thread = threading.Thread(target=lambda: used.append(_asked(places)))
        thread.start()
        thread.join()
    assert len(used) == THREADS
    assert len(set(used)) == 1


def test_who_leaves_its_place_early_goes_on_with_a_connection_of_its_own(places):
    def stream():
        with places.taken():
            connection.ensure_connection()
            lent = id(connection.connection)
            places.leave()
            connection.ensure_connection()
            own = id(connection.connection)
            connection.close()
            return lent, own

    with ThreadPoolExecutor(1) as threads:
        lent, own = threads.submit(stream).result()
        assert lent != own
        assert threads.submit(_asked, places).result() == lent


def test_a_transaction_that_was_left_open_is_undone_and_handed_to_nobody(places):
    if connection.vendor == "sqlite":
        pytest.skip("a database in memory stays open when it is closed")

    def careless():
        with places.taken():
            transaction.atomic().__enter__()
            connection.cursor().execute("SELECT 1")

    with ThreadPoolExecutor(1) as threads:
        threads.submit(careless).result()
        assert threads.submit(lambda: _in_transaction(places)).result() is False


def _in_transaction(places):
    with places.taken():
        return connection.in_atomic_block
