"""A backup is a good neighbour: it takes what others leave, unless it is told to be fast."""

import os
import sys
import threading

import pytest
from django.db import connection

from backups_app.services.backups import giving_way
from tests import factories
from tests.backups_app.restores import create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")


def _own_priority(*_told):
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def _at_work(**options):
    """Make a backup, and return at which priorities it was at work."""
    factories.make_message()
    found = set()
    create(check=lambda *told: found.add(_own_priority()), **options)
    return found


@on_linux
def test_it_works_at_a_lower_priority_and_leaves_its_caller_as_it_was():
    before = _own_priority()
    assert _at_work() == {min(before + giving_way.NICENESS, giving_way.LEAST)}
    assert _own_priority() == before


@on_linux
def test_told_to_be_fast_it_works_as_anybody_else(settings):
    assert _at_work(gives_way=False) == {_own_priority()}
    settings.BACKUP_GIVES_WAY = False
    found = set()
    create(check=lambda *_told: found.add(_own_priority()))
    assert found == {_own_priority()}


@pytest.fixture
def rests(monkeypatch):
    """How long it rested each time; it looks for others each time."""
    found = []
    monkeypatch.setattr(giving_way.time, "sleep", found.append)
    monkeypatch.setattr(giving_way, "LOOKS_APART_SECONDS", 0)
    return found


@pytest.mark.skipif(connection.vendor == "sqlite", reason="its file has been copied by then")
def test_while_somebody_writes_it_rests_for_longer_than_it_works(rests):
    neighbours = giving_way.Neighbours()
    session = factories.make_session()
    for _ in range(50):
        factories.make_message(session=session)
    if connection.vendor == "postgresql":
        # It tells once a second, as a rule.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
    neighbours.rest()
    assert 0 < rests[0] <= giving_way.LONGEST_REST_SECONDS


def test_while_nobody_writes_much_it_does_not_rest(rests, monkeypatch):
    monkeypatch.setattr(giving_way, "BUSY_ROWS_A_SECOND", 10**12)
    neighbours = giving_way.Neighbours()
    factories.make_message()
    neighbours.rest()
    assert rests == []
