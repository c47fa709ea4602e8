"""What we have no permission to look at stops nothing: it is told, and all else comes in."""

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from backups_app.legacy.formats import FORMATS, detect
from backups_app.legacy.types import Reading
from backups_app.legacy.walking import parts_of
from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from config.shared.errors import InvalidInput
from history_app.models import Message
from sessions_app.models import Session
from tests.samples.history_store import message, write_history, write_session

NOBODY = 65534


@contextmanager
def without_rights():
    """Do what follows as a user to whom permissions apply; where tests run as root they apply to nobody alone."""
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def store():
    """A history store in a folder that everybody may read, unlike the folders of pytest."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    root = folder / "store"
    write_session(root, "s1")
    write_history(root, "s1", [message("s1", 1)])
    write_history(root, "s2", [message("s2", 1)])
    yield root
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_may_not_be_read_is_told_and_the_others_come(db, project, store, now, mode):
    (store / "data").mkdir()
    for closed in (store / "sessions", store / "data"):
        closed.chmod(mode)
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    with without_rights():
        assert detect(store) == "history_store"
        assert [part.source_format for part in parts_of(store.parent)] == ["history_store"]
        found: list = []
        items = list(FORMATS["history_store"].open(store, Reading(found.append)).items())
    assert {item.session_id for item in items} == {"s1", "s2"}
    assert {finding.code for finding in found} >= {"not_followed"}
    report = store_import(path=store, project_id=project.pk, now=now, caller=caller)
    assert report.status == "completed"
    assert (Session.objects.count(), Message.objects.count()) == (2, 2)


@pytest.mark.parametrize("what", ["", "sessions/s1.json"])
def test_a_store_that_may_not_be_read_is_refused_with_the_reason(db, project, store, now, what):
    (store / what).chmod(0o000)
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    with without_rights(), pytest.raises(InvalidInput, match="the permission is missing"):
        store_import(path=store / what, project_id=project.pk, now=now, caller=caller)


def test_every_format_passes_over_what_it_may_not_look_at(store):
    (store / "backups").mkdir()
    for closed in [path for path in store.rglob("*") if path.is_dir()]:
        closed.chmod(0o000)
    with without_rights():
        assert detect(store) is None
        for known in FORMATS.values():
            found: list = []
            assert list(known.open(store, Reading(found.append)).items()) == []
