"""The configs tree over the API: a ZIP archive of YAML files comes in whole, or is refused and named."""

import io
import zipfile

import pytest

from sessions_app.models import AuditEntry, SystemConfig, Workflow
from sessions_app.services.config_trees import INDEX

pytestmark = pytest.mark.django_db
PATH = "/api/configs.zip"
SECRET = "sk-abcdefghijklmnopqrstuvwxyz-9876"
LEGACY = {
    "configs/global.yaml": "log: INFO\n",
    "configs/llms/gpt.yaml": f"model: gpt\napi_key: {SECRET}\n",
    "configs/agents/coder.yaml": "prompt: 写代码\n",
    "configs/workflows/react.yaml": "name: React\nnodes:\n- id: think\nedges: []\n",
    "configs/README.md": "no setting",
    "__MACOSX/configs/._global.yaml": "\x00",
}


def packed(files, compression=zipfile.ZIP_DEFLATED):
    """Pack files by their path, or (path, content) pairs; the same bytes for the same files at any time."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", compression) as archive:
        for path, text in files.items() if isinstance(files, dict) else files:
            archive.writestr(zipfile.ZipInfo(path), text, compression)
    return body.getvalue()


def sent(client, body, **options):
    """Send an archive."""
    return client.post(PATH, body, content_type="application/zip", **options)


def stored():
    """What the settings and workflows are now."""
    settings = SystemConfig.objects.order_by("key").values_list("key", "section", "value", "version")
    return [*settings, *Workflow.objects.order_by("workflow_id").values_list("workflow_id", "name")]


def test_a_tree_of_document_000_comes_in(owner):
    wanted = {"new": ["agents.coder", "global", "llms.gpt", "workflows/react"], "changed": [], "unchanged": 0}
    before = stored()
    assert sent(owner, packed(LEGACY), params={"dry_run": "true"}).json() == wanted
    assert stored() == before
    answer = sent(owner, packed(LEGACY))
    assert (answer.status_code, answer.json()) == (200, wanted)
    llm = SystemConfig.objects.get(key="llms.gpt")
    assert (llm.section, llm.value["api_key"], llm.unseal()) == ("llms", "********", {"/api_key": SECRET})
    assert Workflow.objects.get(workflow_id="react").nodes == [{"id": "think"}]
    assert sent(owner, packed(LEGACY)).json() == {"new": [], "changed": [], "unchanged": 4}
    assert SECRET not in str(list(AuditEntry.objects.values_list("changes", flat=True)))


def test_what_went_out_comes_back_into_another_project(owner, outsider):
    sent(owner, packed(LEGACY))
    tree = owner.get(PATH, {"secrets": "true"}).content
    done = sent(outsider, tree).json()
    assert done["changed"] == []
    again = sent(outsider, outsider.get(PATH).content).json()
    assert (again["new"], again["changed"]) == ([], [])
    rows = SystemConfig.objects.filter(key="llms.gpt")
    assert [row.unseal() for row in rows] == [{"/api_key": SECRET}] * 2


def test_only_admins_bring_a_tree_in(operator, agent, reader, anonymous):
    for nobody, status in ((operator, 403), (agent, 403), (reader, 403), (anonymous, 401)):
        assert sent(nobody, packed(LEGACY)).status_code == status
    assert not Workflow.objects.exists()


def test_a_repeated_request_under_a_key_acts_once(owner):
    first = sent(owner, packed(LEGACY), headers={"Idempotency-Key": "once"})
    again = sent(owner, packed(LEGACY), headers={"Idempotency-Key": "once"})
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert sent(owner, packed({"a.yaml": "b: 1\n"}), headers={"Idempotency-Key": "once"}).status_code == 409


def _index(text):
    return {INDEX: f"format: agentledger-configs/1\n{text}\n"}


BAD_FILES = {
    "no yaml": ({"a.txt": "x"}, ""),
    "broken": ({"good.yaml": "x: 1\n", "llms/bad.yaml": "x: [1\n"}, "/llms/bad.yaml"),
    "alias": ({"a.yaml": "x: &a 1\ny: *a\n"}, "/a.yaml"),
    "long key": ({f"{'k' * 300}.yaml": "x: 1\n"}, f"/{'k' * 300}.yaml"),
    "nameless": ({".yaml": "x: 1\n"}, "/.yaml"),
    "long section": ({f"{'s' * 200}/a.yaml": "x: 1\n"}, f"/{'s' * 200}/a.yaml"),
    "workflow": ({"workflows/w.yaml": "just text\n"}, "/workflows/w.yaml"),
    "type": (_index("settings: [{key: k, value: 1, value_type: sometype}]"), f"/{INDEX}"),
    "not of type": (_index("settings: [{key: k, value: x, value_type: integer}]"), f"/{INDEX}"),
    "file as list": (_index("settings: [{key: k, file: [1]}]"), f"/{INDEX}"),
    "secrets as text": (_index("settings: [{key: k, value: x, secrets: y}]"), f"/{INDEX}"),
    "secrets of numbers": (_index("settings: [{key: k, value: x, secrets: [1]}]"), f"/{INDEX}"),
    "section as list": (_index("settings: [{key: k, value: x, section: []}]"), f"/{INDEX}"),
    "key as number": (_index("settings: [{key: 1, value: x}]"), f"/{INDEX}"),
    "config as text": (_index("workflows: [{workflow_id: w, definition: {}, config: x}]"), f"/{INDEX}"),
    "long workflow": (_index(f"workflows: [{{workflow_id: {'w' * 300}, definition: {{}}}}]"), f"/{INDEX}"),
    "twice": ([("a.yaml", "x: 1\n"), ("a.yaml", "x: 2\n")], "/a.yaml"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_tree_is_refused_whole_and_the_file_is_named(owner, fault):
    files, pointer = BAD_FILES[fault]
    before = stored()
    answer = sent(owner, packed(files))
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert stored() == before


def test_a_body_that_is_no_archive_is_refused(owner):
    whole = packed(LEGACY)
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    damaged = bytearray(whole)
    damaged[60] ^= 0xFF
    for body in (b"", b"PK", whole[:-30], bytes(locked), bytes(damaged), packed(LEGACY, zipfile.ZIP_LZMA)):
        assert sent(owner, body).status_code == 400
    assert owner.post(PATH, {"a": 1}).status_code == 415
    assert sent(owner, whole, params={"dry_run": "perhaps"}).status_code == 400
    assert not Workflow.objects.exists()


def test_an_archive_that_swells_is_refused(owner, settings):
    settings.MAX_BODY_BYTES = 100_000
    assert sent(owner, packed({"a.yaml": "x: 1\n" + " " * 200_000})).status_code == 413
    assert sent(owner, packed({f"{n}.yaml": "x: 1\n" + " " * 60_000 for n in range(2)})).status_code == 413
    settings.MAX_BODY_BYTES = 10_000_000
    assert sent(owner, packed({f"{n}.yaml": "" for n in range(10_001)})).status_code == 413
