"""An import is taken back whole: what it alone brought goes, unless something was added to it since."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from backups_app.models import ImportOrigin, ImportRun
from backups_app.services.import_undo import import_undo
from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from config.shared.errors import Conflict, NotFound
from history_app.models import Arrival, Message, TokenUsage
from history_app.services.edits import fact_update
from history_app.services.recording import record_many
from sessions_app.models import AuditEntry, KnowledgeSource, Session, SystemConfig, UserConfig, Workflow
from sessions_app.services.configs import config_set
from sessions_app.services.session_counts import session_counts_difference
from sessions_app.services.sessions import session_update
from tests.backups_app.imported_rows import FACTS, rows
from tests.backups_app.real_stores import REAL, with_real_stores
from tests.backups_app.test_import_resume import filled
from tests.factories import make_project
from tests.samples.history_store import message, record, write_history, write_session

pytestmark = pytest.mark.django_db
KEPT = (Session, Workflow, SystemConfig, *FACTS)


@pytest.fixture
def project():
    return make_project()


@pytest.fixture
def caller(project):
    return Caller("system", "test", "admin", project_ids=None, project_id=project.pk)


@pytest.fixture
def bring_in(project, caller, now):
    """Import a folder and return the run's number."""

    def run(path):
        return store_import(path=path, project_id=project.pk, now=now, caller=caller).run_id

    return run


@pytest.fixture
def undo(project, caller, now):
    """Take a run back, an hour later."""

    def run(number, **options):
        given = {"project_id": project.pk, "now": now + timedelta(hours=1), "caller": caller, "dry_run": False}
        return import_undo(run_id=number, **{**given, **options})

    return run


def _store(project):
    return {model.__name__: rows(model, project.pk) for model in KEPT}


def test_everything_that_a_run_brought_goes(bring_in, undo, project, tmp_path):
    empty = _store(project)
    run = bring_in(filled(tmp_path))
    report = undo(run)
    assert (report.done, report.obstacles) == (True, [])
    assert (report.counts["session"], report.counts["placeholder_session"], report.counts["message"]) == (9, 3, 228)
    assert _store(project) == empty
    assert not ImportOrigin.objects.exists()
    assert not Arrival.objects.exists()
    assert session_counts_difference() == {}
    assert ImportRun.objects.get().status == "undone"
    assert AuditEntry.objects.filter(action="import.undo", target_id=str(run)).count() == 1
    assert bring_in(tmp_path) != run
    assert Message.objects.count() == 228


def test_a_dry_run_says_the_same_and_takes_nothing(bring_in, undo, project, tmp_path):
    run = bring_in(filled(tmp_path))
    before = _store(project)
    dry = undo(run, dry_run=True)
    assert _store(project) == before
    assert not dry.done
    assert undo(run).counts == dry.counts


def test_what_was_there_before_stays_as_it_was(bring_in, undo, project, tmp_path, now):
    record_many(project_id=project.pk, records=[message("s1", 99, "from the API"), message("s3", 99)], now=now)
    Session.objects.filter(session_id="s3").update(metadata={"placeholder": True}, status="inactive")
    write_session(tmp_path / "first", "s0", state={"messages": [], "current_step": "act"}, status="completed")
    write_history(tmp_path / "first", "s0", [message("s0", 1, "hello 1")])
    bring_in(tmp_path / "first")
    before = _store(project)
    counts = dict(Session.objects.values_list("session_id", "activity__message_count"))
    undo(bring_in(filled(tmp_path / "second")))
    # The definition that was filled has been emptied, which is a change of its own.
    Workflow.objects.update(updated_at=now)
    assert _store(project) == before
    assert dict(Session.objects.values_list("session_id", "activity__message_count")) == counts


def test_a_placeholder_that_was_filled_is_one_again(bring_in, undo, project, tmp_path):
    write_history(tmp_path / "first", "s0", [message("s0", 1)])
    bring_in(tmp_path / "first")
    write_session(tmp_path / "second", "s0", state={"current_step": "act"}, user_id="u1", tags=["a"])
    undo(bring_in(tmp_path / "second"))
    session = Session.objects.get(session_id="s0")
    assert (session.status, session.user_id, session.tags, session.metadata) == (
        "inactive", "", [], {"placeholder": True},
    )  # fmt: skip
    assert not session.states.exists()
    assert not Workflow.objects.filter(project=project).exists()
    assert Message.objects.count() == 1


def _say(project, now, **fields):
    record_many(project_id=project.pk, records=[{**message("s1", 500, "more"), **fields}], now=now)


def _join(project, now):
    usage = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    record_many(project_id=project.pk, records=[record("cost", "alone", 1, total_cost=1, **usage)], now=now)


def _edit(project, now):
    fact = Message.objects.get(session__session_id="s1", record_id="message_3")
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    fact_update(fact=fact, changes={"content": "else"}, caller=caller, now=now + timedelta(minutes=1))


def _change(project, now):
    session_update(session=Session.objects.get(session_id="s1"), changes={"title": "mine"}, now=now)


def _set(project, now):
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    key = SystemConfig.objects.filter(project=project).first().key
    config_set(project_id=project.pk, key=key, value="mine", now=now + timedelta(minutes=1), caller=caller)


def _use(project, now):
    Session.objects.create(project=project, session_id="mine", workflow=Workflow.objects.get(workflow_id="react"))


@pytest.mark.parametrize(
    ("add", "named"),
    [
        (_say, "'s1': message 'message_500' was added"),
        (_join, "'alone': tokenusage 'cost_1' was added"),
        (_edit, "'s1': message 'message_3' was changed"),
        (_change, "'s1' was changed"),
        (_set, "config"),
        (_use, "the session 'mine' uses"),
    ],
)
def test_what_was_added_or_changed_since_is_named_and_nothing_goes(add, named, bring_in, undo, project, tmp_path, now):  # noqa: PLR0917
    usage = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    write_session(tmp_path, "alone")
    write_history(tmp_path, "alone", [record("token_usage", "alone", 1, source="api_call", **usage)])
    run = bring_in(filled(tmp_path))
    assert TokenUsage.objects.filter(session__session_id="alone").exists()
    add(project, now)
    before = _store(project)
    report = undo(run)
    assert not report.done
    assert any(named in told for told in report.obstacles), report.obstacles
    assert _store(project) == before
    assert ImportRun.objects.get().status == "completed"


def test_what_came_later_to_a_session_that_stays_is_in_the_way_too(bring_in, undo, project, tmp_path, now):
    record_many(project_id=project.pk, records=[message("s1", 98, "before")], now=now)
    run = bring_in(filled(tmp_path))
    _say(project, now)
    (told,) = undo(run).obstacles
    assert "message 'message_500' was added since" in told


def test_a_run_is_undone_once(bring_in, undo, tmp_path):
    run = bring_in(filled(tmp_path))
    undo(run)
    with pytest.raises(Conflict, match="undone"):
        undo(run)
    with pytest.raises(NotFound):
        undo(run + 100)


@with_real_stores
@pytest.mark.parametrize("name", ["history_store", "agent_flow", "blueplan", "mysql_chat", "session_payloads"])
def test_a_real_store_is_taken_back_whole(name, bring_in, undo, project):
    empty = _store(project)
    report = undo(bring_in(REAL / "stores" / name))
    assert (report.done, report.obstacles) == (True, [])
    assert _store(project) == empty
    assert not UserConfig.objects.filter(project=project).exists()
    assert not KnowledgeSource.objects.filter(project=project).exists()


def _command(*arguments):
    out = StringIO()
    call_command("import_legacy", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_the_command_says_what_would_go_and_takes_it_only_when_told(bring_in, project, tmp_path, now):
    run = bring_in(filled(tmp_path))
    text = _command("--undo", run, "--project", project.slug)
    assert "message" in text
    assert "--yes" in text
    assert Message.objects.count() == 228
    told = json.loads(_command("--undo", run, "--project", project.slug, "--yes", "--json"))
    assert (told["done"], told["kinds"]["message"]) == (True, 228)
    assert not Message.objects.exists()


def test_the_command_names_what_is_in_the_way(bring_in, project, tmp_path, now):
    run = bring_in(filled(tmp_path))
    _say(project, now)
    with pytest.raises(CommandError, match="added since"):
        _command("--undo", run, "--project", project.slug, "--yes")
