"""What settings were: history, the way back, named snapshots, and the YAML tree of document 000."""

import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from config.shared.callers import SYSTEM
from config.shared.errors import InvalidInput
from config.shared.yaml_plain import read_yaml
from config.shared.yaml_writing import write_yaml
from sessions_app.models import AuditEntry, ConfigSnapshot, ConfigVersion, SystemConfig, Workflow
from sessions_app.services.config_trees import INDEX, configs_export, configs_import
from sessions_app.services.configs import config_delete, config_set, configs_seed
from sessions_app.services.workflows import workflow_save

pytestmark = pytest.mark.django_db
SECRET = "sk-abcdefghijklmnopqrstuvwxyz-9876"
MASK = "********"


def _values(project):
    rows = SystemConfig.objects.filter(project=project)
    return {
        row.key: (row.value, row.value_type, row.section, row.description, row.unseal()) for row in rows.order_by("key")
    }


def test_the_history_tells_who_changed_what_from_what_to_what(owner):
    owner.patch("/api/configs/rag_top_k/", {"value": 8})
    owner.delete("/api/configs/rag_top_k/")
    owner.put("/api/configs/rag_top_k/", {"value": 9})
    rows = owner.get("/api/configs/rag_top_k/history/").json()["results"]
    told = [(row["version"], row["before"], row["value"], row["is_removed"]) for row in rows]
    assert told == [(4, 8, 9, False), (3, 8, 8, True), (2, 5, 8, False), (1, None, 5, False)]
    assert rows[0]["actor"].startswith("owner")
    assert rows[-1]["actor"] == "system"
    assert owner.get("/api/configs/absent/history/").status_code == 404


def test_a_former_value_is_set_again_with_its_secrets(owner, operator, project):
    owner.put("/api/configs/llm/", {"value": {"api_key": SECRET, "model": "a"}})
    owner.put("/api/configs/llm/", {"value": {"api_key": "sk-another-secret-of-some-length", "model": "b"}})
    history = owner.get("/api/configs/llm/history/")
    assert SECRET not in history.content.decode()
    assert [row["value"]["api_key"] for row in history.json()["results"]] == [MASK, MASK]
    assert operator.post("/api/configs/llm/rollback/", {"version": 1}).status_code == 403
    stale = owner.post("/api/configs/llm/rollback/", {"version": 1}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    answer = owner.post("/api/configs/llm/rollback/", {"version": 1})
    assert (answer.status_code, answer.json()["version"], answer.json()["value"]["model"]) == (200, 3, "a")
    assert SystemConfig.objects.get(key="llm").unseal() == {"/api_key": SECRET}
    assert owner.post("/api/configs/llm/rollback/", {"version": 99}).status_code == 404
    assert owner.post("/api/configs/llm/rollback/", {"version": 0}).status_code == 400
    assert SECRET not in json.dumps(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_a_removed_setting_comes_back_from_its_history(owner):
    owner.put("/api/configs/own/", {"value": 1})
    owner.delete("/api/configs/own/")
    assert owner.post("/api/configs/own/rollback/", {"version": 2}).status_code == 409
    assert owner.post("/api/configs/own/rollback/", {"version": 1}).json()["value"] == 1


def test_a_restart_neither_overwrites_a_default_nor_brings_a_removed_one_back(project, now):
    # The original set all ten again at each start (document 002, _init_default_config).
    config_set(project_id=project.pk, key="rag_top_k", value=50, now=now, caller=SYSTEM)
    config_delete(config=SystemConfig.objects.get(key="log_level"), now=now, caller=SYSTEM)
    assert configs_seed(project_id=project.pk, now=now) == 0
    assert SystemConfig.objects.get(key="rag_top_k").value == 50
    assert not SystemConfig.objects.filter(key="log_level").exists()


def test_a_snapshot_brings_all_settings_back_in_one_step(owner, operator, project):
    owner.put("/api/configs/llm/", {"value": {"api_key": SECRET}, "section": "llms"})
    before = _values(project)
    assert operator.post("/api/config-snapshots/", {"name": "good", "description": "d"}).status_code == 201
    assert owner.post("/api/config-snapshots/", {"name": "good"}).status_code == 409
    owner.put("/api/configs/llm/", {"value": {"api_key": "sk-another-secret-of-some-length"}})
    owner.patch("/api/configs/rag_top_k/", {"value": 8})
    owner.delete("/api/configs/log_level/")
    owner.put("/api/configs/later/", {"value": 1})
    path = "/api/config-snapshots/good/restore/"
    assert operator.post(path, {}).status_code == 403
    wanted = {"set": ["llm", "log_level", "rag_top_k"], "removed": ["later"], "unchanged": 8}
    changed = _values(project)
    assert owner.post(path, {"dry_run": True}).json() == wanted
    assert _values(project) == changed
    assert owner.post(path, {}).json() == wanted
    assert _values(project) == before
    assert owner.post(path).json() == {"set": [], "removed": [], "unchanged": 11}
    shown = owner.get("/api/config-snapshots/good/")
    assert SECRET not in shown.content.decode()
    assert len(shown.json()["settings"]) == 11
    entry = AuditEntry.objects.filter(action="config_snapshot.restore").first()
    assert entry.changes == wanted
    assert owner.delete("/api/config-snapshots/good/").status_code == 204
    assert not ConfigSnapshot.objects.exists()


def test_a_restore_that_fails_changes_nothing(owner, project, settings):
    owner.put("/api/configs/z/", {"value": {"api_key": SECRET}})
    owner.post("/api/config-snapshots/", {"name": "s"})
    owner.patch("/api/configs/rag_top_k/", {"value": 8})
    owner.delete("/api/configs/z/")
    ConfigVersion.objects.filter(key="z", version=1).update(sealed_secrets="gone:AAAA")
    with pytest.raises(Exception, match="gone"):
        owner.post("/api/config-snapshots/s/restore/", {})
    assert SystemConfig.objects.get(key="rag_top_k").value == 8


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=4
        )
    ),
    max_leaves=12,
)
AWKWARD = [
    "NO",
    "1.10",
    "014",
    "1e-07",
    "null",
    "~",
    "",
    " x ",
    "a: b",
    "- x",
    "# x",
    "x\n",
    "\n x",
    "a\r\nb",
    "'\"",
    "\ufeff",
    "\x85",
    "汉字\n  第二行\n",
    "true",
    "2026-01-01",
    "*a",
    "!b",
    "%",
    "@",
    "x" * 400,
]


@given(json_values)
@hypothesis_settings(max_examples=200, deadline=None)
def test_yaml_comes_back_as_it_went_out(value):
    assert repr(read_yaml(write_yaml(value), 64).value) == repr(value)


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_texts_come_back_as_they_went_out(text):
    for value in (text, {text: [text, {text: text}]}, 1e-07, -0.0, 1e300, 10**40):
        assert repr(read_yaml(write_yaml(value), 64).value) == repr(value)


def _fill(project, now):
    def put(key, value, **more):
        config_set(project_id=project.pk, key=key, value=value, now=now, caller=SYSTEM, **more)

    put("global", {"env": "prod", "未知": ["x", 1.5, None]}, section="global")
    put("llms.gpt-4o", {"api_key": SECRET, "temperature": 1e-07, "text": "NO\nlines\n"}, section="llms")
    put("agents.coder", {"prompt": "line\nline\n  indented\n"}, section="agents", description="编程")
    put("agents.weird/../name", {"a": 1}, section="agents")
    put("hidden", {"place": {"odd": "by pointer"}}, secrets={"/place/odd": "by pointer"})
    put("text_number", "1.10")
    put("as_json", 5, value_type="json")
    values = {
        "name": "React",
        "nodes": [{"id": "think"}],
        "edges": [{"from": "think", "to": "act"}],
        "node_positions": {"think": [1, 2]},
        "config": {"retries": 3, "nodes": [], "unknown": {"x": None}},
    }
    workflow_save(project_id=project.pk, workflow_id="react", values=values, now=now, caller=SYSTEM)
    workflow_save(project_id=project.pk, workflow_id="odd/id", values={"name": "x"}, now=now, caller=SYSTEM)


def _workflows(project):
    names = ("workflow_id", "name", "description", "version", "config_path", "layout_algorithm", "config")
    documents = ("nodes", "edges", "node_positions", "visualization_settings")
    rows = Workflow.objects.filter(project=project).order_by("workflow_id")
    return [[getattr(row, name) for name in (*names, *documents)] for row in rows]


def test_the_tree_round_trips_every_key_with_secrets_into_another_project(project, other_project, now):
    _fill(project, now)
    tree = configs_export(project_id=project.pk, reveal=True, now=now, caller=SYSTEM)
    assert {"global.yaml", "llms/gpt-4o.yaml", "agents/coder.yaml", "workflows/react.yaml", INDEX} == set(tree)
    done = configs_import(project_id=other_project.pk, tree=tree, now=now, caller=SYSTEM)
    assert done.changed == []
    assert _values(other_project) == _values(project)
    assert _workflows(other_project) == _workflows(project)
    again = configs_import(project_id=other_project.pk, tree=tree, now=now, caller=SYSTEM)
    assert (again.new, again.changed) == ([], [])


def test_an_export_masks_secrets_and_an_import_of_masks_keeps_them(project, now):
    _fill(project, now)
    before = _values(project)
    tree = configs_export(project_id=project.pk, reveal=False, now=now, caller=SYSTEM)
    assert not [path for path, data in tree.items() if SECRET.encode() in data or b"by pointer" in data]
    done = configs_import(project_id=project.pk, tree=tree, now=now, caller=SYSTEM)
    assert (done.new, done.changed) == ([], [])
    assert _values(project) == before


def test_a_tree_of_document_000_is_read_by_its_paths(project, now):
    tree = {
        "global.yaml": b"log: INFO\n",
        "llms/gpt.yaml": f"model: gpt\napi_key: {SECRET}\n".encode(),
        "workflows/react.yaml": b"name: React\nnodes:\n- id: think\nedges: []\nextra: 1\n",
    }
    done = configs_import(project_id=project.pk, tree=tree, now=now, caller=SYSTEM)
    assert done.new == ["global", "llms.gpt", "workflows/react"]
    llm = SystemConfig.objects.get(key="llms.gpt")
    assert (llm.section, llm.value, llm.unseal()) == ("llms", {"model": "gpt", "api_key": MASK}, {"/api_key": SECRET})
    workflow = Workflow.objects.get(workflow_id="react")
    assert (workflow.name, workflow.nodes, workflow.config) == ("React", [{"id": "think"}], {"extra": 1})


@pytest.mark.parametrize(
    ("tree", "pointer"),
    [
        ({"a.yaml": b"x: 1\n", "b.yaml": b"x: [1\n"}, "/b.yaml"),
        ({"a.yaml": b"x: !!python/object/apply:os.system [ls]\n"}, "/a.yaml"),
        ({"a.yaml": b"x: &a 1\ny: *a\n"}, "/a.yaml"),
        ({"workflows/w.yaml": b"- 1\n"}, "/workflows/w.yaml"),
        ({INDEX: b"format: agentledger-configs/1\nsettings: [{key: k, file: gone.yaml}]\n"}, f"/{INDEX}"),
        ({INDEX: b"format: agentledger-configs/1\nsettings: [1]\n"}, f"/{INDEX}"),
    ],
)
def test_a_bad_tree_is_refused_whole_and_named(project, now, tree, pointer):
    before = _values(project)
    with pytest.raises(InvalidInput) as refused:
        configs_import(project_id=project.pk, tree=tree, now=now, caller=SYSTEM)
    assert refused.value.errors[0].pointer == pointer
    assert _values(project) == before


def test_the_command_exports_and_imports(project, now, tmp_path):
    _fill(project, now)
    folder, out = tmp_path / "configs", io.StringIO()
    call_command("configs", "export", str(folder), "--json", stdout=out)
    assert json.loads(out.getvalue())["files"] == 5
    assert (folder / "llms" / "gpt-4o.yaml").stat().st_mode & 0o077 == 0
    with pytest.raises(CommandError, match="not empty"):
        call_command("configs", "export", str(folder))
    (folder / "llms" / "new.yaml").write_text("a: 1\n")
    before = _values(project)
    for options in (["--dry-run"], []):
        out = io.StringIO()
        call_command("configs", "import", str(folder), "--json", *options, stdout=out)
        assert json.loads(out.getvalue())["new"] == ["llms.new"]
        assert ("llms.new" in _values(project)) is (options == [])
    assert before == {key: value for key, value in _values(project).items() if key != "llms.new"}
    (folder / "bad.yaml").write_text("x: [\n")
    with pytest.raises(CommandError, match=r"^bad\.yaml: Line"):
        call_command("configs", "import", str(folder))
    with pytest.raises(CommandError, match="no folder"):
        call_command("configs", "import", str(tmp_path / "absent"))


def test_the_download_masks_secrets_unless_an_admin_asks(owner, operator, project, now):
    _fill(project, now)
    answer = operator.get("/api/configs.zip")
    assert answer["Content-Type"] == "application/zip"
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    assert SECRET.encode() not in packed.read("llms/gpt-4o.yaml")
    assert operator.get("/api/configs.zip", {"secrets": "true"}).status_code == 403
    assert owner.get("/api/configs.zip", {"secrets": "yes"}).status_code == 400
    revealed = owner.get("/api/configs.zip", {"secrets": "true"})
    assert SECRET.encode() in zipfile.ZipFile(io.BytesIO(revealed.content)).read("llms/gpt-4o.yaml")
    told = list(AuditEntry.objects.filter(action="configs.export").order_by("number").values_list("changes", flat=True))
    assert told == [{"secrets": "masked"}, {"secrets": "revealed"}]


def test_staff_set_values_with_the_input_of_their_type(staff_admin, project):
    from tests.admin_rows import form_of, page

    switch = SystemConfig.objects.get(key="rag_enabled")
    address = page(switch, "change")
    assert 'type="checkbox"' in staff_admin.get(address).content.decode()
    form = form_of(staff_admin, address)
    assert form.pop("value") == "on"
    assert staff_admin.post(address, form).status_code == 302
    switch.refresh_from_db()
    assert (switch.value, switch.version) == (False, 2)
    number = SystemConfig.objects.get(key="mcp_server_timeout")
    assert "In seconds." in staff_admin.get(page(number, "change")).content.decode()
    form = form_of(staff_admin, page(number, "change"))
    assert staff_admin.post(page(number, "change"), {**form, "value": "many"}).status_code == 200
    assert staff_admin.post(page(number, "change"), {**form, "value": "45"}).status_code == 302
    number.refresh_from_db()
    assert number.value == 45
    level = SystemConfig.objects.get(key="log_level")
    assert "<option" in staff_admin.get(page(level, "change")).content.decode()


def test_staff_go_back_to_a_version_and_to_a_snapshot(staff_admin, analyst, project, now):
    from tests.admin_rows import page

    config_set(project_id=project.pk, key="rag_top_k", value=8, now=now, caller=SYSTEM)
    form = {"project": project.pk, "name": "good", "description": ""}
    assert staff_admin.post(page(ConfigSnapshot, "add"), form).status_code == 302
    first = ConfigVersion.objects.get(key="rag_top_k", version=1)
    action = {"action": "go_back", "_selected_action": [first.pk]}
    analyst.post(page(ConfigVersion, "changelist"), action)
    assert SystemConfig.objects.get(key="rag_top_k").value == 8
    staff_admin.post(page(ConfigVersion, "changelist"), action)
    assert SystemConfig.objects.get(key="rag_top_k").value == 5
    snapshot = ConfigSnapshot.objects.get()
    staff_admin.post(page(ConfigSnapshot, "changelist"), {"action": "restore", "_selected_action": [snapshot.pk]})
    assert SystemConfig.objects.get(key="rag_top_k").value == 8
