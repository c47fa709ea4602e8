"""Parts of every kind: users with what is theirs, settings, whole projects; and the three ways of a conflict."""

import random

import pytest
from django.conf import settings as configured

from analytics_app.models import ModelPrice
from config.shared.callers import SYSTEM
from config.shared.errors import Conflict
from history_app.models import Message
from sessions_app.models import (
    ConfigVersion,
    Document,
    KnowledgeSource,
    Project,
    ProviderKey,
    Session,
    SystemConfig,
    UserConfig,
    Workflow,
    WorkflowRun,
)
from sessions_app.services.configs import config_set
from sessions_app.services.deletion import sessions_purge
from tests import factories
from tests.backups_app.parts import added, changed, full_session, of_session, orphans, restore_part, rows
from tests.backups_app.restores import create
from tests.conftest import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]
SESSION = "sessions_app.session"
KEY = "sk-test-0123456789abcdefWXYZ"


def _user(project=None, **preferences):
    project = project or factories.default_project()
    user = factories.make_user_config(user_id="ada", project=project, preferences=preferences or {"language": "zh"})
    factories.make_provider_key(user_config=user, provider="openai", secret=KEY)
    return user


def test_a_user_comes_back_with_keys_and_sessions(project):
    user, mine = _user(), full_session(session_id="s-1", user_id="ada")
    full_session(session_id="s-2", user_id="grace")
    held, backup = of_session(mine), create()
    mine.delete()
    user.delete()
    # Their numbers are others now, and their secrets are bound to them.
    factories.make_provider_key()
    before = rows()
    done = restore_part(backup, "user:ada")
    assert ProviderKey.objects.get(user_config__user_id="ada").reveal() == KEY
    assert UserConfig.objects.get(user_id="ada").preferences == {"language": "zh"}
    assert of_session(Session.objects.get(user_id="ada"))["message"] == held["message"]
    assert set(changed(before)) <= {"sessions_app.workflowrun"}
    assert (added(before), orphans()) == (_but_for_runs(done.report["tables"]), [])


def _but_for_runs(tables):
    """A run outlives its session, so that it is there still, and is left as it is."""
    return {label: number for label, number in tables.items() if label != "sessions_app.workflowrun"}


def test_a_user_is_replaced_in_place_and_their_version_goes_on(project):
    user, backup = _user(), create()
    UserConfig.objects.filter(pk=user.pk).update(preferences={"language": "en"}, version=4)
    ProviderKey.objects.all().delete()
    factories.make_provider_key(user_config=user, provider="anthropic")
    done = restore_part(backup, "user:ada", on_conflict="replace")
    user.refresh_from_db()
    assert (user.preferences, user.version) == ({"language": "zh"}, 5)
    assert [key.reveal() for key in user.provider_keys.all()] == [KEY]
    assert done.report["lost"] == {"sessions_app.providerkey": 1, "sessions_app.userconfig": 1}


def test_a_user_comes_beside_the_one_that_is_there(project):
    _user()
    backup = create()
    before = rows()
    done = restore_part(backup, "user:ada", on_conflict="new-id")
    other = UserConfig.objects.get(user_id=f"ada.restored-{done.pk}")
    assert other.provider_keys.get().reveal() == KEY
    assert changed(before) == {}


def test_secrets_of_which_the_key_is_gone_are_refused(project, settings):
    _user()
    backup = create()
    UserConfig.objects.all().delete()
    settings.FIELD_ENCRYPTION_KEYS = [f"new:{'A' * 43}="]
    before = rows()
    for dry_run in (True, False):
        with pytest.raises(Conflict, match="'openai' cannot be opened"):
            restore_part(backup, "user:ada", dry_run=dry_run)
    assert changed(before) == added(before) == {}


def _set(key, value, project):
    return config_set(project_id=project.pk, key=key, value=value, now=NOW, caller=SYSTEM)[0]


def test_settings_come_back_as_the_next_version_of_each(project):
    _set("limits", {"top": 5, "api_key": "sesame-open"}, project)
    _set("gone", "was here", project)
    workflow = factories.make_workflow(workflow_id="support", description="first", usage_count=3)
    backup = create()
    _set("limits", {"top": 9}, project)
    SystemConfig.objects.filter(key="gone").delete()
    Workflow.objects.filter(pk=workflow.pk).update(description="second", usage_count=8)
    done = restore_part(backup, "configs", on_conflict="replace")
    limits = SystemConfig.objects.get(key="limits")
    assert (limits.value["top"], limits.unseal(), limits.version) == (5, {"/api_key": "sesame-open"}, 3)
    assert ConfigVersion.objects.filter(key="limits").count() == 3
    assert SystemConfig.objects.get(key="gone").value == "was here"
    workflow.refresh_from_db()
    assert (workflow.description, workflow.usage_count) == ("first", 8)
    assert done.report["outcomes"]["sessions_app.systemconfig"]["new"] == 1


def test_settings_that_are_there_stay(project):
    _set("limits", 5, project)
    backup = create()
    _set("limits", 9, project)
    before = rows()
    restore_part(backup, "configs")
    assert changed(before) == added(before) == {}


def test_a_project_that_is_not_there_any_more_comes_back(other_project):
    _fill(other_project)
    held, backup = of_session(Session.objects.get(session_id="theirs")), create()
    # As in a store that was made anew: nobody has this slug.
    Project.objects.filter(pk=other_project.pk).update(slug="former")
    before = rows()
    done = restore_part(backup, "project:other")
    again = Project.objects.get(slug="other")
    assert of_session(Session.objects.get(project=again)) == held
    assert Document.objects.get(project=again).value == {"text": "hello"}
    assert KnowledgeSource.objects.get(project=again).source_name == "Handbook"
    assert UserConfig.objects.get(project=again).provider_keys.get().reveal() == KEY
    assert SystemConfig.objects.get(project=again, key="mine").unseal() == {"/api_key": "sesame-open"}
    assert SystemConfig.objects.filter(project=again, key="log_level").exists()
    assert (changed(before), orphans()) == ({}, [])
    assert done.report["outcomes"]["sessions_app.project"] == {"new": 1}


def _fill(project):
    full_session(session_id="theirs", project=project)
    _user(project)
    factories.make_document(project=project)
    factories.make_knowledge_source(project=project)
    factories.make_model_price(project=project)
    _set("mine", {"api_key": "sesame-open"}, project)


def test_a_project_comes_into_another_one(project, other_project):
    _fill(other_project)
    backup = create()
    before = rows()
    restore_part(backup, "project:other", into={"project": "default"})
    assert Session.objects.get(session_id="theirs", project=project)
    assert SystemConfig.objects.get(project=project, key="mine").unseal() == {"/api_key": "sesame-open"}
    again = restore_part(backup, "project:other", into={"project": "default"}, on_conflict="new-id")
    assert Document.objects.filter(project=project, key__endswith=f".restored-{again.pk}").count() == 1
    assert KnowledgeSource.objects.filter(project=project).count() == 1
    assert (changed(before), orphans()) == ({}, [])


def test_a_project_is_replaced_by_what_it_was(other_project):
    full_session(session_id="kept")
    _fill(other_project)
    held, backup = of_session(Session.objects.get(session_id="theirs")), create()
    theirs = {"project": other_project}
    Document.objects.filter(**theirs).update(value={"text": "since"}, version=4)
    KnowledgeSource.objects.filter(**theirs).update(status="inactive", deleted_at=NOW)
    ModelPrice.objects.filter(**theirs).update(input_mtok="7.125", note="since")
    WorkflowRun.objects.filter(**theirs).update(status="failed", execution_time=2.5)
    Workflow.objects.filter(**theirs).update(nodes=[])
    _set("mine", {"api_key": "another"}, other_project)
    before = rows()
    done = restore_part(backup, "project:other", on_conflict="replace")
    sessions_purge()
    assert of_session(Session.objects.get(session_id="theirs")) == held
    document = Document.objects.get(**theirs)
    assert (document.value, document.version) == ({"text": "hello"}, 5)
    source = KnowledgeSource.objects.get(**theirs)
    assert (source.status, source.deleted_at) == ("active", None)
    price = ModelPrice.objects.get(**theirs)
    assert (price.input_mtok, price.note) == (1, "")
    assert SystemConfig.objects.get(key="mine", **theirs).unseal() == {"/api_key": "sesame-open"}
    assert UserConfig.objects.get(**theirs).provider_keys.get().reveal() == KEY
    assert done.report["outcomes"]["sessions_app.document"] == {"replaced": 1}
    # Nothing of the other project is otherwise.
    assert not changed(before)["history_app.message"] & set(
        Message.objects.filter(session__session_id="kept").values_list("pk", flat=True)
    )
    assert orphans() == []


# What may have happened to a session since the backup.
def _nothing(session):
    """It is as it was."""


def _said(session):
    factories.make_message(session=session, content="since")


def _cut(session):
    Message.objects.filter(session=session).order_by("pk").first().delete()


def _gone(session):
    session.delete()


def _another(session):
    """Another one of the same id has taken its place."""
    session.delete()
    full_session(session_id=session.session_id, user_id="grace")


SINCE = (_nothing, _said, _cut, _gone, _another)


def _round(rng, number):
    """Do what may happen to some sessions, ask for some of them in one of the ways, and hold every row against it."""
    names = [f"{number}-{index}" for index in range(4)]
    held = {name: of_session(full_session(session_id=name, user_id="ada")) for name in names}
    backup = create(f"round-{number}")
    for name in names:
        rng.choice(SINCE)(Session.objects.get(session_id=name))
    there = {row.session_id: of_session(row) for row in Session.objects.filter(session_id__in=names)}
    asked, way = rng.sample(names, rng.randint(1, 4)), rng.choice(("skip", "replace", "new-id"))
    keys = set(Session.objects.filter(session_id__in=asked).values_list("pk", flat=True))
    before = rows()
    done = restore_part(backup, *(f"session:{name}" for name in asked), on_conflict=way)
    sessions_purge()
    for name in names:
        now = of_session(Session.objects.get(session_id=name)) if _is_there(name) else None
        if name in asked and (name not in there or way == "replace"):
            assert _but_for_runs_left(now) == _but_for_runs_left(held[name])
        else:
            assert now == there.get(name)
        if name in asked and name in there and way == "new-id":
            copy = Session.objects.get(session_id=f"{name}.restored-{done.pk}")
            assert of_session(copy)["message"] == held[name]["message"]
    touched = changed(before).get(SESSION, set())
    assert touched == (keys if way == "replace" else set())
    assert orphans() == []


def _is_there(name):
    return Session.objects.filter(session_id=name).exists()


def _but_for_runs_left(told):
    """Runs outlive sessions: those that came since stay, and those that lost theirs are left alone."""
    return {name: held for name, held in told.items() if name != "runs"}


def test_whatever_happened_since_each_way_does_what_it_says(project):
    rng = random.Random(8)
    for number in range(2):
        _round(rng, number)


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_many_rounds_of_whatever_happened_since(project):
    rng = random.Random(88)
    for number in range(60):
        _round(rng, number)
    assert configured.BACKUP_DIR.is_dir()
