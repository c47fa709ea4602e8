"""A part of an archive comes back into a living store, which keeps all else (C8)."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from analytics_app.models import UserUsage
from backups_app.models import ImportRun, Restore
from backups_app.services.backups.parts import passing
from backups_app.services.backups.snapshots import snapshot
from backups_app.services.backups.tables import archived_models
from config.shared.errors import Conflict, InvalidInput
from history_app.models import Message, ToolCall
from history_app.services.recording import record
from sessions_app.models import AuditEntry, Event, Session, SessionCount, WorkflowRun
from sessions_app.services.audit import audit_verify
from sessions_app.services.deletion import sessions_purge
from tests import factories
from tests.analytics_app.test_rollups import roll_up
from tests.backups_app.parts import added, changed, full_session, of_session, orphans, restore_part, rows
from tests.backups_app.restores import archive_of_file, at, create
from tests.backups_app.stores import fill_store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]
SESSION, MESSAGE = "sessions_app.session", "history_app.message"


@pytest.fixture
def living(project):
    """A store with a row of everything, and one session that is known in full."""
    fill_store(repeated=1)
    sessions_purge()
    return full_session(session_id="s-1", user_id="ada")


def _lose(session):
    WorkflowRun.objects.filter(session=session).delete()
    session.delete()


def _found(session_id="s-1", **fields):
    return Session.objects.get(session_id=session_id, **fields)


def test_a_session_that_was_lost_comes_back_whole_and_nothing_else_changes(living):
    held, backup = of_session(living), create()
    _lose(living)
    before = rows()
    done = restore_part(backup, "session:s-1")
    assert (done.status, done.target) == ("completed", "a part of this store")
    assert of_session(_found()) == held
    assert changed(before) == {}
    assert added(before) == done.report["tables"]
    assert orphans() == []
    assert done.report["outcomes"][SESSION] == {"new": 1}


def test_a_session_that_is_there_stays_as_it_is(living):
    backup = create()
    Message.objects.filter(session=living).update(content="since")
    before = rows()
    done = restore_part(backup, "session:s-1")
    assert changed(before) == added(before) == {}
    assert done.report["outcomes"][SESSION] == {"skipped": 1}


def test_a_session_is_replaced_by_what_it_was(living):
    held, backup = of_session(living), create()
    factories.make_message(session=living, content="since")
    ToolCall.objects.filter(session=living).update(tool_output={"other": 1})
    before = rows()
    done = restore_part(backup, "session:s-1", on_conflict="replace")
    assert done.report["lost"][MESSAGE] == 4
    sessions_purge()
    assert of_session(_found()) == held
    assert orphans() == []
    assert changed(before)[SESSION] == {living.pk}
    others = Message.objects.exclude(session=_found())
    assert not changed(before)[MESSAGE] & set(others.values_list("pk", flat=True))


def test_a_session_comes_beside_the_one_that_is_there(living):
    held, backup = of_session(living), create()
    factories.make_message(session=living, content="since")
    before = rows()
    done = restore_part(backup, "session:s-1", on_conflict="new-id")
    called = f"s-1.restored-{done.pk}"
    assert done.report["new_ids"][0] == {"kind": SESSION, "id": "s-1", "called": called}
    copy = of_session(_found(called))
    assert _but_for_ids(copy) == _but_for_ids(held)
    assert (changed(before), orphans()) == ({}, [])


def _but_for_ids(told):
    return {name: rows for name, rows in told.items() if name not in ("session", "runs")}


def test_versions_and_leases_of_what_is_replaced_go_on(living):
    backup = create()
    Session.objects.filter(pk=living.pk).update(version=7)
    type(living.activity).objects.filter(pk=living.pk).update(last_fence=5)
    restore_part(backup, "session:s-1", on_conflict="replace")
    assert (_found().version, _found().activity.last_fence) == (8, 6)


def test_what_is_recorded_afterwards_is_numbered_on(living, now):
    backup = create()
    _lose(living)
    restore_part(backup, "session:s-1")
    fields = {"record_type": "message", "session_id": "s-1", "role": "user", "content": "after"}
    record(project_id=living.project_id, fields=fields, now=now)
    assert Message.objects.get(content="after").sequence == 4


def test_sums_and_counts_are_right_afterwards(living):
    backup = create()
    roll_up()
    used = sum(UserUsage.objects.filter(grain="h").values_list("total_tokens", flat=True))
    _lose(living)
    roll_up()
    restore_part(backup, "session:s-1")
    roll_up()
    assert sum(UserUsage.objects.filter(grain="h").values_list("total_tokens", flat=True)) == used
    assert sum(SessionCount.objects.values_list("count", flat=True)) == Session.objects.count()


def test_a_look_says_the_same_and_writes_nothing(living):
    backup = create()
    factories.make_message(session=living, content="since")
    before = rows()
    for way in ("skip", "replace", "new-id"):
        look = restore_part(backup, "session:s-1", on_conflict=way, dry_run=True)
        assert look.status == "dry_run"
        assert changed(before) == added(before) == {}
    Restore.objects.all().delete()
    look = restore_part(backup, "session:s-1", on_conflict="replace", dry_run=True)
    done = restore_part(backup, "session:s-1", on_conflict="replace")
    for name in ("outcomes", "lost", "tables"):
        assert look.report[name] == done.report[name]


def test_it_is_told_in_events_and_in_the_audit(living, project):
    backup = create()
    _lose(living)
    done = restore_part(backup, "session:s-1")
    assert Event.objects.filter(kind="session.created", subject="s-1").count() == 1
    entry = AuditEntry.objects.get(action="session.restore")
    assert (entry.target_id, entry.changes["archive"], entry.changes["restore"]) == ("s-1", backup.name, done.pk)
    assert entry.changes["outcomes"][SESSION] == {"new": 1}
    assert AuditEntry.objects.filter(action="restore.create", target_id=str(done.pk)).exists()
    assert audit_verify(project_id=project.pk) is None


def test_it_goes_into_another_project_and_under_another_id(living, other_project):
    held, backup = of_session(living), create()
    before = rows()
    restore_part(backup, "session:s-1", into={"project": "other", "session_id": "s-2"})
    copy = _found("s-2", project=other_project)
    assert _but_for_ids(of_session(copy)) == _but_for_ids(held)
    assert set(Message.objects.filter(session=copy).values_list("project_id", flat=True)) == {other_project.pk}
    # What it refers to has come along, behind the same wall.
    assert copy.workflow.project_id == other_project.pk
    assert ImportRun.objects.filter(project=other_project).count() == 1
    assert (changed(before), orphans()) == ({}, [])


@pytest.mark.parametrize(
    ("only", "options", "pointer"),
    [
        (["session:none"], {}, "/only/0"),
        (["session:s-1", "user:none"], {}, "/only/1"),
        (["project:none"], {}, "/only/0"),
        (["session:s-1"], {"from_project": "none"}, "/only/0"),
        (["session:both"], {}, "/only/0"),
        (["configs"], {}, "/only/0"),
        (["project:default", "project:other"], {"into": {"project": "default"}}, "/into/project"),
    ],
)
def test_what_the_archive_does_not_hold_is_named_before_anything_is_written(
    project, other_project, only, options, pointer
):
    for each in (project, other_project):
        factories.make_session(session_id="both", project=each)
        factories.make_system_config(project=each)
    factories.make_session(session_id="s-1")
    backup = create()
    before = rows()
    with pytest.raises(InvalidInput) as caught:
        restore_part(backup, *only, **options)
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert changed(before) == added(before) == {}
    row = Restore.objects.get()
    assert (row.status, pointer in row.failure, row.report["part"]["only"]) == ("failed", True, only)


@pytest.mark.parametrize(
    ("only", "options", "pointer"),
    [
        ([], {}, "/only"),
        (["message:1"], {}, "/only/0"),
        (["configs", "configs:x"], {}, "/only/1"),
        (["session:"], {}, "/only/0"),
        (["configs"], {"on_conflict": "merge"}, "/on_conflict"),
        (["configs"], {"into": {"project": "none"}}, "/into/project"),
        (["configs"], {"into": {"place": "x"}}, "/into/place"),
        (["configs"], {"into": {"session_id": "x"}}, "/into/session_id"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_with_its_place(project, only, options, pointer):
    with pytest.raises(InvalidInput) as caught:
        restore_part("nowhere", *only, **options)
    assert [error.pointer for error in caught.value.errors] == [pointer]
    assert not Restore.objects.exists()


def test_a_deleted_session_is_not_brought_back_by_its_remains(living):
    gone = factories.make_session(session_id="deleted x")
    factories.make_session_deletion(session=gone)
    with pytest.raises(InvalidInput, match="holds no session"):
        restore_part(create(), "session:deleted x")


def _elsewhere(tmp_path):
    """Make an archive of a SQLite store, whose keys are other things' here; return what its session holds."""
    path = tmp_path / "there.sqlite3"
    with snapshot() as held:
        migrations = held.migrations()
    with at(f"sqlite:///{path}"):
        with connection.schema_editor() as editor:
            for model in archived_models():
                if not model._meta.auto_created:
                    editor.create_model(model)
        there = of_session(full_session(session_id="s-1", user_id="ada"))
    archive_of_file(path, archived_models(), tmp_path / "there", migrations)
    return there


def test_a_part_of_a_sqlite_store_comes_into_any_database(project, tmp_path):
    held = _elsewhere(tmp_path)
    for _ in range(2):
        full_session()
    before = rows()
    restore_part(tmp_path / "there", "session:s-1")
    assert of_session(_found()) == held
    assert (changed(before), orphans()) == ({}, [])


def test_without_new_keys_it_would_be_wrong(project, tmp_path, monkeypatch):
    """The control: the rows keep the keys that they had, which are other things' here."""
    held = _elsewhere(tmp_path)
    for _ in range(2):
        full_session()
    before, mapped = rows(), passing._value
    monkeypatch.setattr(
        passing,
        "_value",
        lambda model, field: f"t.{field.column}" if field.related_model is Session else mapped(model, field),
    )
    with pytest.raises(Conflict):
        restore_part(tmp_path / "there", "session:s-1")
    assert changed(before) == added(before) == {}
    monkeypatch.setattr(passing.Passed, "compare", lambda *_given: None)
    # And nobody compares: rows are refused, or hang on sessions that are not theirs.
    try:
        restore_part(tmp_path / "there", "session:s-1")
    except Conflict:
        assert changed(before) == {}
    else:
        assert of_session(_found()) != held


def test_agents_go_on_recording_meanwhile(living, now):
    held, backup = of_session(living), create()
    factories.make_session(session_id="busy")
    over, acknowledged = threading.Event(), []

    def record_on():
        try:
            while not over.is_set():
                fields = {"record_type": "message", "session_id": "busy", "role": "user", "content": "x"}
                acknowledged.append(record(project_id=living.project_id, fields=fields, now=now))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        recording = threads.submit(record_on)
        try:
            for number in range(2):
                restore_part(backup, "session:s-1", on_conflict="replace")
                restore_part(backup, "session:s-1", into={"session_id": f"copy-{number}"})
        finally:
            over.set()
        recording.result()
    busy = _found("busy")
    assert list(Message.objects.filter(session=busy).order_by("pk").values_list("sequence", flat=True)) == list(
        range(1, len(acknowledged) + 1)
    )
    assert busy.activity.message_count == len(acknowledged) > 0
    assert _but_for_ids(of_session(_found())) == _but_for_ids(held)
    assert orphans() == []
