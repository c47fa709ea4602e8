"""Days of real backups with failures, deaths and rot: what is kept can be restored, all of it (C9)."""

import errno
import random
from datetime import timedelta

import pytest
from django.conf import settings as configured

from backups_app.models import Backup
from backups_app.services.backups import (
    backup_create,
    backup_restore,
    backup_verify,
    backups_prune,
    stale_backups_fail,
)
from backups_app.services.backups.folders import archive_names, partial_folder
from backups_app.services.backups.runs import backup_begin
from config.generated_secrets import new_backup_signing_key
from config.shared.callers import SYSTEM
from config.shared.errors import Unavailable
from sessions_app.models import Session
from tests.factories import NOW, make_session

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)
KEEP = 4


@pytest.fixture(autouse=True)
def _folders(store, settings, tmp_path):
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = new_backup_signing_key()


def _full(done=0, total=None, label="") -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def _day(number: int, chance: random.Random) -> str:
    """Live through one day, and return what it was like."""
    now = NOW + number * DAY
    stale_backups_fail(now=now)
    make_session(title=f"day {number}")
    fate = chance.choices(["good", "fails", "dies", "rots"], [60, 20, 10, 10])[0]
    asked = {"name": f"day-{number}", "trigger": "schedule", "requested_by": "", "now": now}
    if fate == "dies":
        backup_begin(**asked)
        (partial_folder(f"day-{number}") / "tables").mkdir(parents=True)
    elif fate == "fails":
        with pytest.raises(Unavailable):
            backup_create(**asked, check=_full)
    else:
        backup = backup_create(**asked)
        if fate == "rots":
            path = next((configured.BACKUP_DIR / backup.location / "tables").rglob("*session/*.zst"))
            path.write_bytes(path.read_bytes()[:-1] + b"x")
            assert not backup_verify(backup=backup, now=now).good
    return fate


@pytest.mark.parametrize("days", [30, pytest.param(400, marks=[pytest.mark.torture, pytest.mark.timeout(3000)])])
def test_whatever_is_kept_can_be_restored(days):
    chance, fates, sessions = random.Random(days), [], {}
    for number in range(days):
        fates.append(_day(number, chance))
        sessions[f"day-{number}"] = Session.objects.count()
        now = NOW + number * DAY
        newest = Backup.objects.verified().newest_first().first()
        backups_prune(keep=KEEP, now=now)
        assert len(archive_names()) <= KEEP
        assert newest is None or Backup.objects.filter(pk=newest.pk).exists()
        if number % 10 == 9:
            _all_restorable(sessions, now)
    assert set(fates) == {"good", "fails", "dies", "rots"}
    _all_restorable(sessions, NOW + days * DAY)


def _all_restorable(sessions: dict[str, int], now) -> None:
    stale_backups_fail(now=now + timedelta(hours=1))
    kept = list(Backup.objects.verified())
    assert kept
    for backup in kept:
        look = backup_restore(source=backup, dry_run=True, requested_by="", caller=SYSTEM, now=now + timedelta(hours=2))
        assert look.report["tables"]["sessions_app.session"] == sessions[backup.name]
