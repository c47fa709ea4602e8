"""The doctor: each kind of fault is named with its place, and what can be repaired is, with an audit entry."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from backups_app.models import ImportRun
from backups_app.services.doctor import store_examine
from backups_app.services.doctor.examining import CHECKS
from config.shared.callers import SYSTEM
from history_app.models import Message
from sessions_app.models import AuditEntry, Job, ProviderKey, SessionActivity, SessionCount, SessionState, SystemConfig
from tests import factories
from tests.admin_rows import page
from tests.factories import make_message, make_session
from tests.samples.history_store import message, write_history, write_session

pytestmark = pytest.mark.django_db
LONG_AGO = timezone.now() - timedelta(days=2)


def _activity(**values):
    def breaks(session):
        make_message(session=session)
        SessionActivity.objects.filter(pk=session.pk).update(**values)

    return breaks


def _no_activity(session):
    make_message(session=session)
    SessionActivity.objects.filter(pk=session.pk).delete()


def _of_another_project(make):
    def breaks(session):
        row = make(session=session)
        type(row).objects.filter(pk=row.pk).update(project=factories.make_project())

    return breaks


def _subtask(session):
    task = factories.make_task(session=session, status="completed")
    factories.make_subtask(task=task, status="in_progress")


def _no_current(session):
    factories.make_session_state(session=session)
    SessionState.objects.update(is_current=None)


def _provider_key(session):
    key = factories.make_provider_key()
    ProviderKey.objects.filter(pk=key.pk).update(sealed="t1:AAAA")


def _setting(session):
    SystemConfig.objects.update_or_create(
        project=session.project, key="llm", defaults={"value": {}, "sealed_secrets": "gone:AAAA"}
    )


FAULTS = {
    "activity_missing": _no_activity,
    "numbering_behind": _activity(last_sequence=0, message_count=0),
    "message_count_wrong": _activity(last_sequence=3, message_count=3),
    "tool_call_without_result": lambda session: factories.make_tool_call(
        session=session, status="pending", timestamp=LONG_AGO
    ),
    "subtask_left_open": _subtask,
    "message_of_another_project": _of_another_project(make_message),
    "task_of_another_project": _of_another_project(factories.make_task),
    "toolcall_of_another_project": _of_another_project(factories.make_tool_call),
    "llmcall_of_another_project": _of_another_project(factories.make_llm_call),
    "tokenusage_of_another_project": _of_another_project(factories.make_token_usage),
    "errorrecord_of_another_project": _of_another_project(factories.make_error),
    "metric_of_another_project": _of_another_project(factories.make_metric),
    "session_count_wrong": lambda session: SessionCount.objects.update(count=9),
    "state_without_current": _no_current,
    "provider_key_undecryptable": _provider_key,
    "setting_undecryptable": _setting,
}
ONLY_TOLD = {"provider_key_undecryptable", "setting_undecryptable"}


def examined(repair=False):
    """Examine the store now."""
    return store_examine(caller=SYSTEM, now=timezone.now(), repair=repair)


def healthy():
    """Fill the store with what is right."""
    session = make_session(session_id="healthy")
    for _ in range(3):
        make_message(session=session)
    factories.make_tool_call(session=session)
    factories.make_tool_call(session=session, status="pending", timestamp=timezone.now())
    factories.make_subtask(task=factories.make_task(session=session), status="pending")
    factories.make_provider_key()


def test_a_healthy_store_has_nothing(project):
    healthy()
    assert examined().as_json() == {
        "found": {}, "repaired": {}, "left": 0, "findings": [], "noted": {}, "notes": [],
    }  # fmt: skip


def test_every_check_has_a_fault_that_it_finds():
    # Doubles have a test of their own, because a unique constraint stands in their way.
    assert {check.code for check in CHECKS if check.is_fault} == {*FAULTS, "numbering_double"}


def test_placeholders_of_an_import_are_noted_and_are_no_fault(bring_in, project, tmp_path):
    write_history(tmp_path, "named-only", [message("named-only", 1)])
    bring_in(tmp_path)
    found = examined(repair=True)
    assert (found.left, found.as_json()["found"]) == (0, {})
    assert found.noted == {"placeholder_of_an_import": 1}
    (note,) = found.notes
    assert (note["code"], note["place"]) == ("placeholder_of_an_import", "session named-only")
    assert "can still be imported" in note["detail"]
    out = StringIO()
    call_command("doctor", stdout=out)
    assert out.getvalue().splitlines()[0].startswith("note: placeholder_of_an_import: session named-only: ")
    assert out.getvalue().endswith("1 × placeholder_of_an_import, which is no fault\nNothing is wrong.\n")
    # The store that tells of the session fills it.
    write_session(tmp_path, "named-only")
    bring_in(tmp_path)
    assert examined().noted == {}


def test_of_many_placeholders_the_first_are_named(project):
    for _ in range(7):
        factories.make_label(session=make_session(), kind="metadata", key="placeholder", value="true")
    found = examined()
    assert (found.noted.total(), len(found.notes)) == (7, 5)


@pytest.fixture
def without_unique_numbers(store, monkeypatch):
    """The store as one that lost the rule that a session has each number once."""
    rule = next(each for each in Message._meta.constraints if each.name == "message_sequence_once")
    with monkeypatch.context() as patch, connection.schema_editor() as editor:
        # SQLite makes the table anew, from what the model says.
        patch.setattr(Message._meta, "constraints", [each for each in Message._meta.constraints if each is not rule])
        editor.remove_constraint(Message, rule)
    yield
    Message.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Message, rule)


@pytest.mark.django_db(transaction=True)
def test_a_number_that_a_session_has_twice_is_told_and_left_to_people(without_unique_numbers):
    factories.default_project()
    healthy()
    session = make_session(session_id="ill")
    for _ in range(3):
        make_message(session=session)
    Message.objects.filter(session=session, sequence=3).update(sequence=2)
    SessionActivity.objects.filter(pk=session.pk).update(last_sequence=3, message_count=3)
    found = examined(repair=True)
    assert found.as_json()["findings"] == [
        {
            "code": "numbering_double",
            "place": "session ill",
            "detail": "2 messages have the number 2",
            "repaired": False,
        }
    ]
    # Which of them is to have it cannot be known, so both stay as they are.
    assert sorted(Message.objects.filter(session=session).values_list("sequence", flat=True)) == [1, 2, 2]


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_a_fault_is_named_and_repaired_once(project, code):
    healthy()
    FAULTS[code](make_session(session_id="ill"))
    first = examined()
    assert code in first.found
    assert first.left == first.found.total()
    line = next(line for line in first.told if line["code"] == code)
    assert line["place"]
    assert line["detail"]
    second = examined(repair=True)
    assert second.repaired[code] == (0 if code in ONLY_TOLD else second.found[code])
    third = examined()
    assert set(third.found) <= ONLY_TOLD
    entries = AuditEntry.objects.filter(action="doctor.repair", target_type=code)
    assert entries.exists() == (code not in ONLY_TOLD)
    assert examined(repair=True).repaired.total() == 0


def test_a_gap_is_named_by_its_numbers(project):
    session = make_session(session_id="ill")
    rows = [make_message(session=session) for _ in range(5)]
    type(rows[0]).objects.filter(pk__in=[rows[1].pk, rows[2].pk]).delete()
    assert "the first gap is from 2 to 3" in examined().told[0]["detail"]
    examined(repair=True)
    activity = SessionActivity.objects.get(pk=session.pk)
    assert (activity.message_count, activity.last_sequence) == (3, 5)


def test_nothing_secret_is_told(project):
    _provider_key(make_session())
    assert "sk-test" not in json.dumps(examined().as_json())


def test_the_number_of_queries_does_not_grow_with_the_store(project, django_assert_max_num_queries):
    for _ in range(30):
        healthy_session = make_session()
        make_message(session=healthy_session)
        factories.make_tool_call(session=healthy_session)
    with django_assert_max_num_queries(60):
        assert examined().left == 0


def test_the_command_tells_and_its_exit_code_says_whether_all_is_well(project):
    out = StringIO()
    call_command("doctor", stdout=out)
    assert out.getvalue() == "Nothing is wrong.\n"
    FAULTS["subtask_left_open"](make_session(session_id="ill"))
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--json", stdout=out)
    assert ended.value.code == 1
    assert json.loads(out.getvalue())["found"] == {"subtask_left_open": 1}
    out = StringIO()
    call_command("doctor", "--repair", stdout=out)
    assert "[repaired]" in out.getvalue()
    assert out.getvalue().endswith("Nothing is wrong.\n")


def test_staff_have_the_store_examined_by_a_job(staff_admin, analyst, project):
    from django.urls import reverse

    from backups_app.jobs import examine
    from sessions_app.services.jobs import job_run

    FAULTS["subtask_left_open"](make_session(session_id="ill"))
    address = reverse("admin:backups_app_importrun_examine_store")
    assert address in staff_admin.get(page(ImportRun, "changelist")).content.decode()
    assert analyst.get(address).status_code in (302, 403)
    assert analyst.post(address).status_code in (302, 403)
    # Looking at the page begins nothing.
    assert "Examine and repair" in staff_admin.get(address).content.decode()
    assert not Job.objects.filter(kind="store.examine").exists()
    assert staff_admin.post(address).status_code == 302
    queued = Job.objects.get(kind="store.examine")
    job_run(job_id=queued.pk)
    queued.refresh_from_db()
    assert queued.result["found"] == {"subtask_left_open": 1}
    assert examine.__doc__
    assert staff_admin.get(page(Job, "changelist")).status_code == 200
    staff_admin.post(address, {"repair": "yes"})
    assert Job.objects.filter(kind="store.examine").latest("pk").arguments == {"repair": True}
