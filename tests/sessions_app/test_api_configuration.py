"""System settings and the configuration of end users over the API."""

import pytest

from sessions_app.models import AuditEntry, ProviderKey, SystemConfig

pytestmark = pytest.mark.django_db

SECRET = "sk-abcdefghijklmnopqrstuvwxyz-9876"


def test_every_project_starts_with_the_ten_defaults(owner):
    rows = owner.get("/api/configs/").json()["results"]
    assert {row["key"]: row["value"] for row in rows} == {
        "llm_model": "openai/gpt-4o",
        "llm_temperature": 0.7,
        "llm_max_tokens": 4000,
        "rag_enabled": True,
        "rag_top_k": 5,
        "mcp_server_timeout": 30,
        "max_subtasks": 20,
        "info_gathering_max_rounds": 5,
        "auto_validation": False,
        "log_level": "INFO",
    }


def test_a_setting_keeps_its_type(owner):
    assert owner.patch("/api/configs/rag_top_k/", {"value": 8}).json()["value"] == 8
    for wrong in ("8", 8.5, True, None, [8]):
        answer = owner.patch("/api/configs/rag_top_k/", {"value": wrong})
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/value"
    body = owner.put("/api/configs/rag_top_k/", {"value": "many", "value_type": "text"}).json()
    assert (body["value"], body["value_type"]) == ("many", "text")


@pytest.mark.parametrize(
    ("value", "value_type"),
    [("x", "text"), (1, "integer"), (1.5, "number"), (False, "boolean"), ({"a": 1}, "json"), (None, "json")],
)
def test_a_new_setting_takes_the_type_of_its_value(owner, value, value_type):
    answer = owner.put("/api/configs/llms/openai.yaml/", {"value": value})
    assert answer.status_code == 201
    assert answer.json()["value_type"] == value_type
    assert owner.get("/api/configs/llms/openai.yaml/").json()["value"] == value


def test_settings_are_versioned(owner):
    assert owner.get("/api/configs/log_level/")["ETag"] == '"1"'
    assert owner.patch("/api/configs/log_level/", {"value": "DEBUG"}, headers={"If-Match": '"1"'})["ETag"] == '"2"'
    assert owner.put("/api/configs/log_level/", {"value": "X"}, headers={"If-Match": '"1"'}).status_code == 412
    assert owner.delete("/api/configs/log_level/", headers={"If-Match": '"1"'}).status_code == 412
    assert owner.delete("/api/configs/log_level/", headers={"If-Match": '"2"'}).status_code == 204


def test_a_key_is_made_once(owner):
    assert owner.post("/api/configs/", {"key": "k", "value": 1, "section": "s"}).status_code == 201
    assert owner.post("/api/configs/", {"key": "k", "value": 2}).status_code == 409
    assert [row["key"] for row in owner.get("/api/configs/", {"section": "s"}).json()["results"]] == ["k"]
    assert len(owner.get("/api/configs/", {"prefix": "llm_"}).json()["results"]) == 3


def test_secrets_in_a_setting_are_sealed_and_masked(owner):
    value = {"provider": "openai", "api_key": SECRET, "options": {"header": "Bearer x"}}
    answer = owner.put("/api/configs/llm/", {"value": value, "secrets": {"/options/header": "Bearer x"}})
    masked = {"provider": "openai", "api_key": "********", "options": {"header": "********"}}
    assert answer.json()["value"] == masked
    row = SystemConfig.objects.get(key="llm")
    assert row.unseal() == {"/api_key": SECRET, "/options/header": "Bearer x"}
    assert SECRET not in row.sealed_secrets
    # What was read is written back: the secrets stay behind their masks.
    owner.put("/api/configs/llm/", {"value": {**masked, "provider": "azure"}})
    row.refresh_from_db()
    assert row.value["provider"] == "azure"
    assert row.unseal() == {"/api_key": SECRET, "/options/header": "Bearer x"}
    assert not [entry for entry in AuditEntry.objects.all() if SECRET in str(entry.changes)]


def test_a_secret_that_leads_nowhere_is_refused(owner):
    answer = owner.put("/api/configs/llm/", {"value": {"a": 1}, "secrets": {"/b": "x"}})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/secrets"


def test_only_admins_set_secrets(operator):
    assert operator.put("/api/configs/llm/", {"value": {"a": 1}}).status_code == 201
    assert operator.put("/api/configs/llm/", {"value": {"a": 1}, "secrets": {"/a": "x"}}).status_code == 403


def test_changes_of_settings_are_audited(owner):
    owner.patch("/api/configs/log_level/", {"value": "DEBUG"})
    entry = AuditEntry.objects.get(action="config.update")
    assert entry.changes["before"]["value"] == "INFO"
    assert entry.changes["after"]["value"] == "DEBUG"


def test_a_users_preferences_are_saved_and_merged(owner):
    path = "/api/user-configs/user%2F1/"
    assert owner.put(path, {"preferences": {"lang": "zh", "ui": {"dark": True}}}).status_code == 201
    body = owner.patch(path, {"preferences": {"lang": None, "ui": {"size": 2}}}).json()
    assert body["preferences"] == {"ui": {"dark": True, "size": 2}}
    assert body["user_id"] == "user/1"
    assert body["version"] == 2
    assert owner.put(path, {}).json()["preferences"] == {}
    assert owner.get("/api/user-configs/", {"prefix": "user/"}).json()["results"][0]["user_id"] == "user/1"
    assert owner.put(path, {}, headers={"If-Match": '"1"'}).status_code == 412
    assert owner.delete(path).status_code == 204


def test_provider_keys_are_shown_as_masks_only(owner):
    answer = owner.post("/api/user-configs/", {"user_id": "u1", "api_keys": {"openai": SECRET, "tiny": "abc"}})
    assert answer.status_code == 201
    assert answer.json()["api_keys"] == {"openai": "********9876", "tiny": "********"}
    assert SECRET not in answer.content.decode()
    assert SECRET not in ProviderKey.objects.get(provider="openai").sealed
    again = owner.patch("/api/user-configs/u1/", {"api_keys": {"tiny": None}}).json()
    assert again["api_keys"] == {"openai": "********9876"}


def test_revealing_a_key_is_audited_and_for_admins(owner, operator, agent):
    owner.put("/api/user-configs/u1/", {"api_keys": {"openai": SECRET}})
    path = "/api/user-configs/u1/api-keys/reveal/"
    for nobody in (operator, agent):
        assert nobody.post(path, {"provider": "openai"}).status_code == 403
    assert not AuditEntry.objects.filter(action="provider_key.reveal").exists()
    answer = owner.post(path, {"provider": "openai"})
    assert answer.json() == {"provider": "openai", "api_key": SECRET}
    assert answer["Cache-Control"] == "no-store"
    entry = AuditEntry.objects.get(action="provider_key.reveal")
    assert (entry.target_id, entry.changes) == ("u1", {"provider": "openai"})
    assert owner.post(path, {"provider": "absent"}).status_code == 404


def test_agents_write_preferences_but_no_keys(agent):
    assert agent.put("/api/user-configs/u1/", {"preferences": {"a": 1}}).status_code == 201
    assert agent.patch("/api/user-configs/u1/", {"api_keys": {"openai": SECRET}}).status_code == 403
    assert not ProviderKey.objects.exists()


@pytest.mark.parametrize("keys", [["x"], {"openai": 5}, {"openai": ""}, {"": "x"}, "x"])
def test_keys_that_are_none_are_refused(owner, keys):
    assert owner.put("/api/user-configs/u1/", {"api_keys": keys}).status_code == 400


@pytest.mark.parametrize(("path", "queries"), [("/api/configs/", 2), ("/api/user-configs/", 3)])
@pytest.mark.parametrize("size", [1, 15])
def test_the_lists_take_as_many_queries_for_every_length(owner, django_assert_num_queries, path, queries, size):
    for number in range(size):
        owner.put(f"{path}k{number}/", {"value": 1} if path[5:] == "configs/" else {"api_keys": {"p": SECRET}})
    with django_assert_num_queries(queries):
        assert len(owner.get(path).json()["results"]) >= size
