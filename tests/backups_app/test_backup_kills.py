"""Making and restoring are killed at any moment: what was good stays good, and the store is never half of anything."""

import random
import time
from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.db import connection
from django.utils import timezone

from backups_app.models import Backup, Restore
from backups_app.services.backups import backup_verify, stale_backups_fail
from backups_app.services.backups.folders import archive_names
from history_app.models import Message
from tests import factories
from tests.backups_app.restores import content, create, restore
from tests.backups_app.stores import fill_store
from tests.backups_app.working import work_start

# Each kill is at another part of how long the work takes, from its first moment to just behind its end.
LATEST = 1.1

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]


@pytest.fixture
def filled():
    """A store of some size, one good backup of it, and what it holds."""
    fill_store(repeated=1)
    session = factories.make_session()
    rows = [factories.make_message(session=session, content="word " * 40) for _ in range(3)]
    first = rows[0]
    Message.objects.bulk_create(
        Message(
            project_id=first.project_id,
            session=session,
            record_id=f"bulk-{number}",
            timestamp=first.timestamp,
            role=first.role,
            content=f"{number} " + "word " * 40,
            sequence=1000 + number,
        )
        for number in range(5000)
    )
    good = create("good")
    before = content()
    # What comes after the backup, and must go when it is restored.
    factories.make_message(session=factories.make_session(session_id="later"))
    return good, before, content()


def _ended(process):
    out, error = process.communicate(timeout=120)
    assert out == "done\n", error


def _killed(seconds, *arguments):
    """Start the work, kill it after so many seconds, and return whether it was killed before its end."""
    process = work_start(*arguments)
    time.sleep(seconds)
    process.kill()
    out, _error = process.communicate(timeout=60)
    return "done" not in out


def _seconds(*arguments):
    """Return how long the work takes once the process is up."""
    process, began = work_start(*arguments), time.monotonic()
    _ended(process)
    return time.monotonic() - began


def _later():
    return timezone.now() + timedelta(hours=1)


def _making_killed(good, times):
    connection.close()
    takes, picker, killed = _seconds("create", "measured"), random.Random(7), 0
    for number in range(times):
        killed += _killed(picker.uniform(0, LATEST * takes), "create", f"killed-{number}")
        stale_backups_fail(now=_later())
        named = set(Backup.objects.verified().values_list("name", flat=True))
        # What is listed is whole, and what is whole is listed or one word short of it: no half has a name.
        assert named <= set(archive_names())
        assert not [path for path in configured.BACKUP_DIR.iterdir() if path.name.endswith(".partial")]
        for name in named - {"good", "measured"}:
            assert backup_verify(backup=Backup.objects.get(name=name), now=_later()).good
    assert killed
    assert backup_verify(backup=good, now=_later()).good
    assert create("after").status == "verified"


def _restoring_killed(good, before, later, times):
    connection.close()
    takes, picker, states = _seconds("restore", "good"), random.Random(8), []
    for _ in range(times):
        if content() == before:
            factories.make_message(session=factories.make_session())
        later = content()
        killed = _killed(picker.uniform(0, LATEST * takes), "restore", "good")
        stale_backups_fail(now=_later())
        found = content()
        assert found in (before, later), "the store is half of it"
        states.append((killed, found == before))
        assert not Restore.objects.filter(is_running=True).exists()
    assert any(killed for killed, _is_done in states)
    assert restore(good, replace=True).status == "completed"
    assert content() == before


def test_half_a_restore_would_be_seen(filled):
    """The control: what a restore without its one transaction would leave is neither the one nor the other."""
    _good, before, later = filled
    connection.close()
    Message.objects.filter(record_id__startswith="bulk-", sequence__gt=3000).delete()
    assert content() not in (before, later)


def test_making_is_killed(filled):
    _making_killed(filled[0], 3)


def test_restoring_is_killed(filled):
    _restoring_killed(*filled, 3)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_making_is_killed_fifty_times(filled):
    _making_killed(filled[0], 50)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_restoring_is_killed_fifty_times(filled):
    _restoring_killed(*filled, 50)
