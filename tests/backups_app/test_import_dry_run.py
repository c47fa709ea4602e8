"""A dry run says exactly what would happen, lets others write meanwhile, and leaves nothing."""

import resource
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest
from django.conf import settings
from django.db import connection

from backups_app.models import ImportRun
from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from config.shared.errors import Unavailable
from history_app.models import Message, Metric
from sessions_app.models import AuditEntry, Session
from tests.factories import default_project, make_metric, make_session
from tests.samples.history_store import message, write_history, write_session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def old(tmp_path):
    write_session(tmp_path / "old", "s1", state={"current_step": "act"})
    write_history(tmp_path / "old", "s1", [message("s1", number) for number in range(1, 6)] + ["broken"])
    return tmp_path / "old"


@pytest.fixture
def run(store, old, now):
    project = default_project()
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    return lambda **options: store_import(path=old, project_id=project.pk, now=now, caller=caller, **options)


def counts(report):
    return {kind: asdict(found) for kind, found in report.kinds.items()}


def elsewhere(work):
    """Do something as another process would: by a connection of its own."""

    def done():
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(done).result()


def test_others_write_while_a_dry_run_is_at_work(run):
    session, seen = make_session(session_id="living"), []

    def tell(_standing):
        elsewhere(lambda: make_metric(session=session))
        seen.append((Message.objects.count(), elsewhere(Message.objects.count)))

    audited = AuditEntry.objects.count()
    report = run(dry_run=True, progress=tell)
    # Inside there is what would be there; outside only what others have written.
    assert len(seen) > 0
    assert max(inside for inside, _outside in seen) >= 5
    assert {outside for _inside, outside in seen} == {0}
    assert (Metric.objects.count(), Message.objects.count()) == (len(seen), 0)
    assert list(Session.objects.values_list("session_id", flat=True)) == ["living"]
    assert (ImportRun.objects.count(), AuditEntry.objects.count(), report.run_id) == (0, audited, None)
    assert counts(report) == counts(run())


def test_it_says_what_would_conflict_with_what_is_stored(run, old):
    run()
    write_history(old, "s1", [message("s1", 1, "another"), message("s1", 2), message("s1", 9)])
    told = counts(run(dry_run=True))
    assert [told["message"][name] for name in ("read", "new", "same", "conflicting")] == [3, 1, 1, 1]
    assert told == counts(run())


def test_nothing_of_a_dry_run_is_left_not_even_when_it_fails(run):
    class Stopped(Exception):
        pass

    def tell(_standing):
        raise Stopped

    with pytest.raises(Stopped):
        run(dry_run=True, progress=tell)
    scratch = settings.DATA_DIR / "scratch"
    assert not scratch.exists() or list(scratch.iterdir()) == []
    assert (Session.objects.count(), ImportRun.objects.count()) == (0, 0)


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_without_room_for_a_copy_it_is_refused(run):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(Unavailable, match="works in a copy of the store, which could not be made"):
            run(dry_run=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
