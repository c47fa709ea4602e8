"""A restore makes a store what an archive holds, whole or not at all."""

import pytest

from backups_app.archive.signatures import new_signing_key
from backups_app.models import Backup, Restore
from backups_app.services.backups import backup_create, backup_restore
from backups_app.services.backups.loading import contents_there
from backups_app.services.backups.scratch_store import content_of
from backups_app.services.backups.snapshots import snapshot
from backups_app.services.backups.tables import archived_models
from config.shared.callers import SYSTEM
from config.shared.errors import Conflict
from tests import factories
from tests.backups_app.stores import counts, fill_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _folders(store, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_signing_key()


def _create(now, **options):
    return backup_create(**{"name": None, "trigger": "command", "requested_by": "ada", "now": now, **options})


def _restore(source, now, **options):
    return backup_restore(**{"source": source, "requested_by": "ada", "caller": SYSTEM, "now": now, **options})


def content(*, using="default", without=("sessions_app.auditentry", "sessions_app.auditchain", "sessions_app.event")):
    """What every table holds; a restore adds to the audit, and a backup tells that it was made."""
    with snapshot(using) as held:
        return {model: content_of(held, model) for model in archived_models() if model._meta.label_lower not in without}


def test_what_was_lost_comes_back(now):
    fill_store()
    before, there = content(), counts()
    backup = _create(now)
    factories.make_message()
    restore = _restore(backup, now, replace=True)
    assert (restore.status, restore.row_count) == ("completed", backup.row_count)
    assert content() == before
    assert restore.report["tables"] == {**there}


def test_a_store_that_is_not_empty_is_left_alone(now):
    fill_store(repeated=1)
    backup = _create(now)
    before = content()
    with pytest.raises(Conflict, match="not empty"):
        _restore(backup, now)
    assert content() == before
    assert Restore.objects.get().status == "failed"
    assert contents_there()
    assert Backup.objects.get().status == "verified"
