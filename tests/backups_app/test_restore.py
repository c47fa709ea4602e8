"""A restore makes a store what an archive holds, whole or not at all."""

import os
import sqlite3

import pytest
from django.db import connection

from analytics_app.models import UserUsage
from backups_app.archive import ArchiveRefused
from backups_app.models import Backup, Restore
from backups_app.services.backups import progress, watched
from backups_app.services.backups.restore import SWAPPING_IN
from config.shared.errors import Conflict, InvalidInput, Unavailable
from config.shared.jobs import JobCancelled
from history_app.models import Message, SearchProgress
from history_app.services.recording import record
from history_app.services.search_index.filling import search_index_fill
from sessions_app.models import AuditEntry, Job, Project, Session, SessionCount
from sessions_app.services.audit import audit_verify
from tests import factories
from tests.analytics_app.test_rollups import roll_up
from tests.backups_app.restores import content, create, restore
from tests.backups_app.stores import counts, fill_store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]


def test_what_was_lost_comes_back_and_what_came_since_is_gone(now, project):
    fill_store()
    before, there = content(), counts()
    backup = create()
    Message.objects.all().delete()
    factories.make_session(session_id="since")
    done = restore(backup, replace=True)
    assert (done.status, done.row_count, done.target) == ("completed", backup.row_count, "this store")
    assert content() == before
    assert done.report["tables"] == there
    assert done.report["checks"]["totals"]["messages"] == there["history_app.message"]
    assert done.report["replaced"]["sessions_app.session"] == there["sessions_app.session"] + 1
    assert Backup.objects.get().status == "verified"


def test_a_store_that_is_not_empty_is_left_alone():
    fill_store(repeated=1)
    backup, before = create(), content()
    with pytest.raises(Conflict, match="not empty"):
        restore(backup)
    assert content() == before
    row = Restore.objects.get()
    assert (row.status, "not empty" in row.failure) == ("failed", True)


def test_a_store_in_which_nobody_worked_counts_as_empty(project):
    bare = create("bare")
    fill_store(repeated=1)
    backup, before = create(), content()
    restore(bare, replace=True)
    factories.make_api_key()
    assert restore(backup).status == "completed"
    assert content() == before


def test_a_look_changes_nothing_and_says_what_would_be_done():
    fill_store(repeated=1)
    backup = create()
    factories.make_message()
    before = content()
    done = restore(backup, dry_run=True)
    assert (done.status, done.row_count) == ("dry_run", backup.row_count)
    assert done.report["there"]["history_app.message"] == Message.objects.count()
    assert done.report["tables"] == backup.tables
    assert content() == before


def test_rows_that_come_after_it_get_numbers_of_their_own(now, project):
    fill_store(repeated=1)
    backup = create()
    restore(backup, replace=True)
    session = Session.objects.filter(activity__message_count__gte=1).first()
    last = session.activity.last_sequence
    fields = {"record_type": "message", "session_id": session.session_id, "role": "user", "content": "after"}
    record(project_id=session.project_id, fields=fields, now=now)
    assert Message.objects.get(content="after").sequence == last + 1
    for make in (factories.make_session, factories.make_task, factories.make_document, factories.make_api_key):
        assert make().pk


def test_what_is_derived_begins_anew(now, project):
    fill_store(repeated=2)
    backup = create()
    roll_up()
    search_index_fill(now=now, least=1)
    restore(backup, replace=True)
    assert not UserUsage.objects.exists()
    assert not SearchProgress.objects.exclude(watermark=0).exists()
    assert sum(SessionCount.objects.values_list("count", flat=True)) == Session.objects.count()
    roll_up()
    assert UserUsage.objects.exists()


def test_the_audit_goes_on_where_the_archive_ended_and_tells_of_the_restore(project):
    fill_store(repeated=1)
    backup = create()
    number = AuditEntry.objects.filter(project_id=project.pk).count()
    restore(backup, replace=True)
    newest = AuditEntry.objects.filter(project_id=project.pk).order_by("-number").first()
    assert (newest.action, newest.number) == ("restore.create", number + 1)
    assert newest.changes["archive"] == backup.name
    assert audit_verify(project_id=project.pk) is None


def test_the_audit_is_as_closed_as_before():
    fill_store(repeated=1)
    restore(create(), replace=True)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'sessions_app_auditentry'::regclass "
                "AND tgenabled = 'O' AND NOT tgisinternal"
            )
            assert cursor.fetchone()[0] == 2
        elif connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name = 'audit_no_update'")
            assert cursor.fetchone()[0] == 1


def test_a_job_of_a_project_that_is_gone_goes_with_it(other_project):
    fill_store(repeated=1)
    Project.objects.filter(pk=other_project.pk).delete()
    backup = create()
    again = Project.objects.create(slug="later", name="Later")
    mine, theirs = factories.make_job(), factories.make_job(project=again)
    done = restore(backup, replace=True)
    assert list(Job.objects.filter(pk__in=[mine.pk, theirs.pk])) == [mine]
    assert done.report["jobs_dropped"] == 1


@pytest.fixture
def looked_at_often(monkeypatch):
    """Progress is told for every batch, so that a small store has some."""
    monkeypatch.setattr(progress, "_SECONDS", 0)
    monkeypatch.setattr(watched, "LOOKS_APART_SECONDS", 0.001)


@pytest.mark.usefixtures("looked_at_often")
def test_it_stops_when_it_is_asked_to():
    fill_store(repeated=1)
    backup, before = create(), content()

    def stop(done, total, label):
        raise JobCancelled("asked to stop")

    with pytest.raises(JobCancelled):
        restore(backup, replace=True, check=stop)
    assert content() == before
    assert (Restore.objects.get().status, Restore.objects.get().failure) == ("failed", "asked to stop")


@pytest.mark.usefixtures("looked_at_often")
def test_progress_is_told_from_outside_of_the_transaction():
    fill_store(repeated=1)
    told = []

    def look(done, total, label):
        assert not connection.in_atomic_block
        told.append((done, total))

    done = restore(create(), replace=True, check=look)
    assert told
    assert all(0 <= number <= total == 3 * done.row_count for number, total in told)


def _steps_told(**options):
    """Restore, and return what the look was told was at work, in order."""
    fill_store(repeated=1)
    told = []
    restore(create(), replace=True, check=lambda done, total, label: told.append(label), **options)
    return told


@pytest.mark.usefixtures("looked_at_often")
def test_a_look_that_writes_nothing_is_told_of_every_step():
    told = _steps_told()
    assert any(label.startswith(("writing", "comparing")) for label in told)


@pytest.mark.usefixtures("looked_at_often")
def test_a_look_that_writes_to_the_store_is_told_before_its_file_is_locked():
    told = _steps_told(told_in_store=True)
    if connection.vendor == "sqlite":
        assert told[-1] == SWAPPING_IN
    else:
        assert SWAPPING_IN not in told
        assert any(label.startswith(("writing", "comparing")) for label in told)


def test_while_a_backup_is_made_nothing_is_restored(now):
    backup = create()
    Backup.objects.create(name="other", status="running", is_running=True, lease_until=now)
    with pytest.raises(Conflict, match="being made"):
        restore(backup)


def test_without_the_identity_an_encrypted_one_is_refused(encrypted, settings):
    backup = create()
    settings.BACKUP_AGE_IDENTITY_FILE = ""
    with pytest.raises(ArchiveRefused, match="BACKUP_AGE_IDENTITY_FILE"):
        restore(backup, replace=True)


def test_an_encrypted_one_comes_back(encrypted):
    fill_store(repeated=1)
    before = content()
    restore(create(), replace=True)
    assert content() == before


def test_what_is_no_address_is_refused():
    backup = create()
    for url in ("redis://127.0.0.1", "nonsense", "postgres://x:y@h:port/d"):
        with pytest.raises(InvalidInput, match="target_url"):
            restore(backup, target_url=url)


def test_a_password_in_an_address_is_told_nowhere():
    backup = create()
    with pytest.raises(Unavailable) as caught:
        restore(backup, target_url="postgres://root:sesame@127.0.0.1:1/x")
    row = Restore.objects.get()
    assert "sesame" not in f"{row.target} {row.failure} {caught.value}"
    assert row.target == "postgres://127.0.0.1:1/x"


def test_a_database_of_something_else_is_refused(tmp_path):
    backup = create()
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        other.execute("CREATE TABLE recipes (id integer primary key)")
    with pytest.raises(Conflict, match="migrations"):
        restore(backup, target_url=f"sqlite:///{tmp_path / 'other.sqlite3'}")
    with sqlite3.connect(tmp_path / "other.sqlite3") as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_look_into_a_bare_database_leaves_it_bare(tmp_path):
    done = restore(create(), target_url=f"sqlite:///{tmp_path / 'bare.sqlite3'}", dry_run=True)
    assert done.report["there"] == {}
    assert not os.path.exists(tmp_path / "bare.sqlite3") or os.path.getsize(tmp_path / "bare.sqlite3") == 0


def test_nothing_in_clear_is_left_behind(settings):
    fill_store(repeated=1)
    restore(create(), replace=True)
    assert not list(settings.DATA_DIR.glob("scratch/*"))
