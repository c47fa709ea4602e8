"""The audit chain, keys, groups and first furnishing by the services."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group

from config.shared.callers import SYSTEM
from config.shared.crypto import DecryptionFailed
from config.shared.errors import Conflict, InvalidInput
from sessions_app.models import AuditChain, AuditEntry, ConfigVersion, ProviderKey, SystemConfig
from sessions_app.services.audit import audit_record, audit_verify
from sessions_app.services.configs import config_set, configs_seed
from sessions_app.services.groups import groups_ensure
from sessions_app.services.projects import default_project_ensure, project_create
from sessions_app.services.user_configs import provider_key_reveal, user_config_save

pytestmark = pytest.mark.django_db


def _record(project, now, action="config.update", **changes):
    return audit_record(
        project_id=project.pk,
        caller=SYSTEM,
        action=action,
        target_type="config",
        target_id="k",
        changes=changes,
        now=now,
    )


def test_entries_are_numbered_and_chained(other_project, now):
    first, second = _record(other_project, now, a=1), _record(other_project, now, b="中文")
    assert (first.number, second.number) == (1, 2)
    assert second.previous_hash == first.entry_hash
    assert audit_verify(project_id=other_project.pk) is None


def test_each_project_has_a_chain_of_its_own(project, other_project, now):
    _record(other_project, now)
    assert AuditEntry.objects.filter(project=other_project).get().number == 1
    assert audit_verify(project_id=project.pk) is None


def test_a_forged_entry_is_found(other_project, now):
    """A row that came in past the service, as nobody can change one that is there."""
    entry = _record(other_project, now)
    AuditEntry.objects.create(
        project=other_project,
        number=2,
        at=now,
        actor_kind="staff",
        actor="mallory",
        action="x",
        target_type="y",
        previous_hash=entry.entry_hash,
        entry_hash="0" * 64,
    )
    assert audit_verify(project_id=other_project.pk) == 2


def test_a_missing_tail_is_found(other_project, now):
    _record(other_project, now)
    AuditChain.objects.filter(project=other_project).update(last_number=2, last_hash="f" * 64)
    assert audit_verify(project_id=other_project.pk) == 2


def test_a_key_that_was_moved_to_another_user_does_not_open(project, now):
    rows = [
        user_config_save(
            project_id=project.pk, user_id=user, api_keys={"p": f"secret-of-{user}"}, now=now, caller=SYSTEM
        )[0]
        for user in ("alice", "bob")
    ]
    stolen = ProviderKey.objects.get(user_config=rows[0]).sealed
    ProviderKey.objects.filter(user_config=rows[1]).update(sealed=stolen)
    with pytest.raises(DecryptionFailed):
        provider_key_reveal(user_config=rows[1], provider="p", now=now, caller=SYSTEM)
    assert provider_key_reveal(user_config=rows[0], provider="p", now=now, caller=SYSTEM) == "secret-of-alice"


def test_seeding_again_never_overwrites(project, now):
    config_set(project_id=project.pk, key="log_level", value="DEBUG", now=now, caller=SYSTEM)
    assert configs_seed(project_id=project.pk, now=now) == 0
    # A default of a newer release is one that the project has never had.
    for model in (SystemConfig, ConfigVersion):
        model.objects.filter(project=project, key="rag_top_k").delete()
    assert configs_seed(project_id=project.pk, now=now) == 1
    assert default_project_ensure(now=now) == project
    assert SystemConfig.objects.get(project=project, key="log_level").value == "DEBUG"


def test_a_project_is_furnished_and_its_slug_is_taken(now):
    project = project_create(slug="new", name="New", now=now)
    assert project.systemconfig_set.count() == 10
    with pytest.raises(Conflict):
        project_create(slug="new", name="Again", now=now)
    for slug in ("", "UPPER", "a b", "-a", "x" * 64, "ü"):
        with pytest.raises(InvalidInput):
            project_create(slug=slug, name="x", now=now)


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        ("Analyst", ["sessions_app.view_session"], ["sessions_app.change_session", "sessions_app.view_auditentry"]),
        ("Auditor", ["sessions_app.view_auditentry"], ["sessions_app.add_session", "sessions_app.view_apikey"]),
        (
            "Agent support",
            ["sessions_app.change_session", "history_app.add_message"],
            ["sessions_app.delete_session", "sessions_app.change_systemconfig", "sessions_app.view_providerkey"],
        ),
        (
            "Operator",
            ["sessions_app.delete_session", "sessions_app.change_systemconfig"],
            ["sessions_app.view_apikey", "sessions_app.reveal_providerkey", "auth.change_group"],
        ),
        (
            "Administrator",
            ["sessions_app.reveal_providerkey", "sessions_app.add_apikey", "sessions_app.view_auditentry"],
            ["sessions_app.change_auditentry", "sessions_app.delete_auditentry"],
        ),
    ],
)
def test_a_group_may_do_in_the_admin_what_its_role_is_for(django_user_model, group, may, may_not):
    user = django_user_model.objects.create_user("somebody", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    assert [name for name in may if not user.has_perm(name)] == []
    assert [name for name in may_not if user.has_perm(name)] == []


def test_the_groups_are_made_once(db):
    for app_config in apps.get_app_configs():
        groups_ensure(app_config=app_config)
    assert Group.objects.count() == 5


def test_a_secret_of_a_whole_setting_is_masked(project, now):
    config, _created = config_set(
        project_id=project.pk, key="llms.openai.api_key", value="sk-123", now=now, caller=SYSTEM
    )
    assert config.value == "********"
    assert config.unseal() == {"": "sk-123"}
    placeholder, _created = config_set(project_id=project.pk, key="x.token", value="${TOKEN}", now=now, caller=SYSTEM)
    assert placeholder.value == "${TOKEN}"
