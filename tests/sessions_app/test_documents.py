"""The document store: one contract, held by every backend."""

import asyncio
import os
import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection, connections
from django.utils import timezone

from config.shared.errors import (
    Conflict,
    InvalidInput,
    StaleVersion,
    StorageError,
    StorageNotFoundError,
    Unavailable,
)
from sessions_app.models import Document
from sessions_app.services.documents import (
    Change,
    DocumentStorage,
    Kind,
    SyncDocumentStorage,
    document_delete,
    document_find,
    document_save,
    document_update,
    documents_change,
    documents_count,
    documents_page,
    documents_prune,
)
from sessions_app.services.documents import files as file_backend
from sessions_app.services.documents.files import FileDocuments, file_name
from tests.private_servers import free_port, redis_is_installed, redis_server

pytestmark = pytest.mark.django_db
BACKENDS = ["database", "redis", "files"]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """A private Redis, which is stopped with its tests."""
    if not redis_is_installed():
        pytest.skip("redis-server is not installed")
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture(params=BACKENDS)
def space(request, project, settings, tmp_path):
    """A namespace on each backend in turn: what every call names."""
    settings.DOCUMENT_BACKENDS = {"*": request.param}
    settings.DOCUMENT_DIR = tmp_path / "documents"
    if request.param == "redis":
        settings.DOCUMENT_REDIS_URL = request.getfixturevalue("redis_url")
        settings.DOCUMENT_REDIS_PREFIX = f"test:{request.node.name}:"
    return {"project_id": project.pk, "namespace": "notes"}


def _save(space, key, value, **more):
    return document_save(**space, key=key, value=value, **{"now": timezone.now(), **more})


def _value(space, key, **more):
    found = document_find(**space, key=key, **{"now": timezone.now(), **more})
    return None if found is None else found.value


ODD = {"text": "汉字 \u2028 😀", "big": 2**70, "small": -0.0, "deep": [[{"": None}]], "true": True}


def test_a_value_comes_back_as_it_went_in(space):
    document, is_new = _save(space, "a/b c/é", ODD)
    assert (is_new, document.version) == (True, 1)
    found = document_find(**space, key="a/b c/é", now=timezone.now())
    assert found == document
    assert repr(found.value) == repr(ODD)
    again, is_new = _save(space, "a/b c/é", None)
    assert (is_new, again.version, again.value, again.created_at) == (False, 2, None, document.created_at)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "..",
        "a/../b",
        ".",
        "nul\x00",
        "tab\t",
        "CON",
        "a/nul.txt",
        "Com1",
        "a.",
        "b ",
        "c\\d",
        "x" * 501,
    ],
)
def test_a_key_that_is_not_safe_everywhere_is_refused(space, key):
    with pytest.raises(InvalidInput) as refused:
        _save(space, key, 1)
    assert refused.value.errors[0].pointer == "/key"
    with pytest.raises(InvalidInput):
        _save({**space, "namespace": key or "a/b"}, "k", 1)


def test_keys_that_differ_at_all_are_different_and_forms_of_one_text_are_one(space):
    keys = ["a", "A", "a%20", "a ~b", "context", "x" * 500, "x" * 499, "汉" * 500, "_", "%5f", "ﬁ", "fi"]
    for number, key in enumerate(keys):
        _save(space, key, number)
    assert [_value(space, key) for key in keys] == list(range(len(keys)))
    assert [each.key for each in documents_page(**space, limit=100, now=timezone.now())] == sorted(keys)
    _save(space, "cafe\u0301", "decomposed")
    assert _value(space, "caf\u00e9") == "decomposed"


def test_projects_and_namespaces_are_apart(space, other_project):
    _save(space, "k", 1)
    assert _value({**space, "namespace": "other"}, "k") is None
    assert _value({**space, "project_id": other_project.pk}, "k") is None
    assert documents_page(project_id=other_project.pk, namespace="notes", limit=5, now=timezone.now()) == []


def test_a_list_goes_on_where_it_stopped_within_a_prefix(space):
    for number in range(7):
        _save(space, f"p/{number}", number)
    for other in ("o", "p", "p0", "q"):
        _save(space, other, other)
    _save(space, "p/ended", 0, ttl=1, now=timezone.now() - timedelta(hours=1))
    keys, after = [], ""
    while page := documents_page(**space, prefix="p/", after=after, limit=3, now=timezone.now()):
        keys += [each.key for each in page]
        after = page[-1].key
    assert keys == [f"p/{number}" for number in range(7)]
    assert documents_count(**space, prefix="p/", now=timezone.now()) == 7
    assert documents_count(**space, now=timezone.now()) == 11


def test_a_document_ends_with_its_time_and_is_pruned(space):
    now = timezone.now()
    _save(space, "short", 1, ttl=60, now=now)
    _save(space, "long", 1)
    assert _value(space, "short", now=now + timedelta(seconds=59)) == 1
    assert _value(space, "short", now=now + timedelta(seconds=60)) is None
    with pytest.raises(StorageNotFoundError):
        document_update(**space, key="short", value={}, now=now + timedelta(seconds=60))
    assert documents_prune(now=now + timedelta(seconds=59)) == 0
    assert documents_prune(now=now + timedelta(seconds=60)) == 1
    assert documents_prune(now=now + timedelta(seconds=60)) == 0
    assert _value(space, "short", now=now) is None
    assert _value(space, "long") == 1


def test_a_document_that_is_saved_anew_without_an_end_is_not_pruned(space):
    now = timezone.now()
    _save(space, "k", 1, ttl=60, now=now)
    _save(space, "k", 2, now=now)
    assert documents_prune(now=now + timedelta(hours=1)) == 0
    assert _value(space, "k", now=now + timedelta(hours=1)) == 2


def test_an_update_merges_and_keeps_the_end(space):
    now = timezone.now()
    ends = _save(space, "k", {"a": 1, "b": {"c": 2}}, ttl=600, now=now)[0].expires_at
    updated = document_update(**space, key="k", value={"a": None, "b": {"d": 3}}, now=now)
    assert (updated.value, updated.expires_at) == ({"b": {"c": 2, "d": 3}}, ends)
    assert document_update(**space, key="k", ttl=60, now=now).expires_at == now + timedelta(seconds=60)


def test_versions_are_held_against_what_is_stored(space):
    now = timezone.now()
    _save(space, "k", 1)
    for work in (
        lambda: _save(space, "k", 2, expected_version=2),
        lambda: document_delete(**space, key="k", expected_version=7, now=now),
        lambda: _save(space, "absent", 2, expected_version=1),
    ):
        with pytest.raises(StaleVersion):
            work()
    document_delete(**space, key="k", expected_version=1, now=now)
    with pytest.raises(StorageNotFoundError):
        document_delete(**space, key="k", now=now)


def test_a_transaction_is_done_whole_or_not_at_all(space):
    now = timezone.now()
    _save(space, "a", 1)
    _save(space, "b", {"x": 1})
    good = [
        Change(Kind.SAVE, "notes", "new", "n"),
        Change(Kind.UPDATE, "notes", "b", {"y": 2}),
        Change(Kind.DELETE, "notes", "a"),
        Change(Kind.SET_FIELD, "other", "hash", 5, field="f"),
        Change(Kind.SET_FIELD, "other", "hash", 6, field="g"),
    ]
    bad = [*good, Change(Kind.DELETE, "notes", "absent")]
    with pytest.raises(StorageNotFoundError):
        documents_change(project_id=space["project_id"], changes=bad, now=now)
    assert (_value(space, "a"), _value(space, "b"), _value(space, "new")) == (1, {"x": 1}, None)
    documents_change(project_id=space["project_id"], changes=good, now=now)
    assert (_value(space, "a"), _value(space, "b"), _value(space, "new")) == (None, {"x": 1, "y": 2}, "n")
    assert _value({**space, "namespace": "other"}, "hash") == {"f": 5, "g": 6}


def test_what_cannot_be_one_transaction_is_refused(space, settings):
    with pytest.raises(InvalidInput):
        documents_change(project_id=space["project_id"], changes=[], now=timezone.now())
    name = settings.DOCUMENT_BACKENDS["*"]
    settings.DOCUMENT_BACKENDS = {"*": name, "elsewhere": "database" if name == "files" else "files"}
    apart = [Change(Kind.SAVE, "notes", "a", 1), Change(Kind.SAVE, "elsewhere", "a", 1)]
    with pytest.raises(InvalidInput):
        documents_change(project_id=space["project_id"], changes=apart, now=timezone.now())


def test_the_interface_of_document_004(space):
    storage = SyncDocumentStorage(project_id=space["project_id"], namespace="notes")
    now = timezone.now()
    storage.save({"id": "s1", "type": "session", "data": {"status": "active"}, "created_at": now})
    storage.save({"id": "s2", "type": "session", "data": {"status": "done"}})
    assert storage.load("s1")["created_at"] == now.isoformat()
    assert (storage.load("absent"), storage.exists("s1"), storage.exists("absent")) == (None, True, False)
    assert [each["id"] for each in storage.list({"type": "session", "data.status": "done"})] == ["s2"]
    assert len(storage.list({"type": "session"}, limit=1)) == 1
    storage.update("s1", {"data": {"step": 3}})
    assert storage.load("s1")["data"] == {"status": "active", "step": 3}
    with pytest.raises(StorageNotFoundError):
        storage.update("absent", {})
    operations = [{"type": "save", "data": {"id": "s3"}}, {"type": "delete", "id": "s1"}]
    with pytest.raises(StorageError):
        storage.transaction([*operations, {"type": "delete", "id": "absent"}])
    assert storage.exists("s1")
    storage.transaction(operations)
    assert [each["id"] for each in storage.list()] == ["s2", "s3"]
    assert (storage.delete("s2"), storage.delete("s2")) == (True, False)
    for wrong in ({"no": "id"}, {"id": "x", "v": object()}, {"id": "x", "v": float("nan")}):
        with pytest.raises(StorageError):
            storage.save(wrong)


def test_fields_of_an_object_as_document_001_has_them(space):
    storage = SyncDocumentStorage(project_id=space["project_id"], namespace="notes")
    storage.set_field("h", "a", {"x": 1})
    storage.set_field("h", "b", 2)
    assert (storage.get_field("h", "a"), storage.get_field("h", "c")) == ({"x": 1}, None)
    assert storage.get_fields("h") == {"a": {"x": 1}, "b": 2}
    assert storage.get_fields("absent") == {}
    storage.save({"id": "list", "v": 1})
    _save(space, "plain", [1])
    with pytest.raises(InvalidInput):
        storage.set_field("plain", "a", 1)


def test_the_interface_is_async_and_its_sync_face_works_where_a_loop_runs(project, settings, tmp_path):
    settings.DOCUMENT_BACKENDS, settings.DOCUMENT_DIR = {"*": "files"}, tmp_path
    both = {"project_id": project.pk, "namespace": "notes"}

    async def work():
        storage = DocumentStorage(**both)
        await storage.save({"id": "a", "n": 1})
        await storage.update("a", {"m": 2})
        await storage.transaction([{"type": "save", "data": {"id": "b"}}])
        await storage.set_field("c", "f", 1)
        # Document 004's own adapter called asyncio.run here, which fails.
        in_a_loop = SyncDocumentStorage(**both).load("a")
        return (
            in_a_loop,
            [each.get("id") for each in await storage.list()],
            await storage.exists("b"),
            await storage.delete("b"),
        )

    assert asyncio.run(work()) == ({"id": "a", "n": 1, "m": 2}, ["a", "b", None], True, True)


@pytest.mark.parametrize("backend", ["redis", "files"])
def test_no_change_is_lost_between_writers_at_once(backend, request, settings, tmp_path):
    settings.DOCUMENT_BACKENDS, settings.DOCUMENT_DIR = {"*": backend}, tmp_path
    if backend == "redis":
        settings.DOCUMENT_REDIS_URL = request.getfixturevalue("redis_url")
        settings.DOCUMENT_REDIS_PREFIX = "test:writers:"
    faults = _raced(1)
    assert faults == []
    assert document_find(project_id=1, namespace="n", key="k", now=timezone.now()).value == {
        f"f{number}": number for number in range(40)
    }


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="the tests' SQLite is in memory")
def test_no_change_is_lost_in_the_database(project):
    assert _raced(project.pk) == []
    assert len(Document.objects.get().value) == 40


def _raced(project_id):
    faults: list[Exception] = []

    def write(first: int) -> None:
        try:
            for number in range(first, first + 10):
                change = Change(Kind.SET_FIELD, "n", "k", number, field=f"f{number}")
                for _attempt in range(20):
                    try:
                        documents_change(project_id=project_id, changes=[change], now=timezone.now())
                        break
                    except Conflict:
                        continue
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            faults.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 40, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def _killed_at(step: int, root: Path) -> bool:
    """Run a transaction in a process that is killed before its so many-th step on the disk; return whether it was."""
    child = os.fork()
    if child == 0:
        steps = 0

        def counted(work):
            def wrapped(*args, **kwargs):
                nonlocal steps
                if steps == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps += 1
                return work(*args, **kwargs)

            return wrapped

        Path.replace, Path.unlink = counted(Path.replace), counted(Path.unlink)
        file_backend.os.fsync = counted(os.fsync)
        _change_three(root)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _change_three(root: Path) -> None:
    from sessions_app.services.documents.changes import outcome

    changes = [
        Change(Kind.SAVE, "n", "a", "new"),
        Change(Kind.SAVE, "m", "b", "new"),
        Change(Kind.DELETE, "n", "c"),
    ]
    places = [change.place for change in changes]
    FileDocuments(root).change(1, places, lambda found: outcome(changes, found, timezone.now())[0])


def test_a_transaction_of_files_survives_a_kill_at_any_step(tmp_path):
    from sessions_app.services.documents.changes import outcome

    ends = []
    for step in range(40):
        root = tmp_path / str(step)
        store = FileDocuments(root)
        old = [Change(Kind.SAVE, "n", "a", "old"), Change(Kind.SAVE, "n", "c", "old")]
        store.change(1, [each.place for each in old], lambda found, old=old: outcome(old, found, timezone.now())[0])
        was_killed = _killed_at(step, root)
        held = tuple(
            document.value if document else None
            for document in (store.find(1, place) for place in (("n", "a"), ("m", "b"), ("n", "c")))
        )
        assert held in (("old", None, "old"), ("new", "new", None)), f"half done after a kill at step {step}"
        ends.append(held[0])
        if not was_killed:
            assert held[0] == "new"
            break
        _change_three_again(store)
        assert not list(root.rglob(".new-*")) or held[0] == "old"
    assert not was_killed, "the steps did not come to an end"
    assert ends == sorted(ends, reverse=True), "once committed, it is done"
    assert "old" in ends


def _change_three_again(store) -> None:
    store.change(1, [("n", "z")], lambda found: found)


def test_file_names_are_safe_and_different():
    names = [file_name(text) for text in ("a", "A", "%41", "../x", "con", "汉", "x" * 500, "x" * 499 + "y")]
    assert len({name.lower() for name in names}) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-%~") for name in names)
    assert max(map(len, names)) < 200


def test_while_redis_is_gone_documents_say_so_and_others_go_on(owner, settings):
    settings.DOCUMENT_REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    settings.DOCUMENT_BACKENDS = {"cache": "redis"}
    for answer in (
        owner.get("/api/documents/cache/k/"),
        owner.get("/api/documents/cache/"),
        owner.put("/api/documents/cache/k/", {"value": 1}),
        owner.delete("/api/documents/cache/k/"),
    ):
        assert answer.status_code == 503
        assert int(answer["Retry-After"]) > 0
    assert owner.put("/api/documents/notes/k/", {"value": 1}).status_code == 201


def test_a_backend_that_nobody_knows_is_named_by_a_check(owner, settings):
    settings.DOCUMENT_BACKENDS, settings.DOCUMENT_REDIS_URL = {"a": "tape", "b": "redis"}, ""
    told = [each.msg for each in run_checks() if each.id == "agentledger.E010"]
    assert any("'tape'" in text for text in told)
    assert any("'b'" in text for text in told)
    assert owner.get("/api/documents/a/k/").status_code == 503
    with pytest.raises(Unavailable):
        document_find(project_id=1, namespace="b", key="k", now=timezone.now())


def test_a_package_brings_a_backend_by_entry_point(project, settings, tmp_path, monkeypatch):
    package = tmp_path / "tape-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: tape\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[agentledger.document_backends]\ntape = tape_store:Tape\n")
    (tmp_path / "tape_store.py").write_text(
        "from sessions_app.services.documents.files import FileDocuments\n"
        f"def Tape():\n    return FileDocuments({str(tmp_path / 'tape')!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.DOCUMENT_BACKENDS = {"cold": "tape"}
    assert [each for each in run_checks() if each.id == "agentledger.E010"] == []
    document_save(project_id=project.pk, namespace="cold", key="k", value=1, now=timezone.now())
    assert list((tmp_path / "tape").rglob("k_k.json"))


def test_the_api_is_the_same_on_every_backend(space, owner, outsider, reader):
    path = "/api/documents/notes/a%2Fb/"
    assert owner.put(path, {"value": {"a": 1}, "ttl": 60}).status_code == 201
    assert owner.get(path)["ETag"] == '"1"'
    assert owner.patch(path, {"value": {"b": 2}}, headers={"If-Match": '"1"'}).json()["value"] == {"a": 1, "b": 2}
    assert owner.put(path, {"value": 1}, headers={"If-Match": '"1"'}).status_code == 412
    assert outsider.get(path).status_code == 404
    assert reader.get(path).json()["value"] == "********"
    for number in range(5):
        owner.put(f"/api/documents/notes/p{number}/", {"value": number})
    page = owner.get("/api/documents/notes/", {"prefix": "p", "page_size": 2, "count": "true"}).json()
    assert (page["count"], [row["key"] for row in page["results"]]) == (5, ["p0", "p1"])
    further = owner.get(page["next"]).json()
    assert [row["key"] for row in further["results"]] == ["p2", "p3"]
    assert owner.get("/api/documents/notes/", {"cursor": "x"}).status_code == 400
    assert owner.get("/api/documents/notes/", {"odd": "x"}).status_code == 400
    assert owner.delete(path).status_code == 204
    assert owner.delete(path).status_code == 404
    assert owner.put("/api/documents/notes/..%2Fx/", {"value": 1}).status_code == 400


def test_a_transaction_over_the_api(space, owner):
    owner.put("/api/documents/notes/old/", {"value": 1})
    operations = [
        {"op": "save", "namespace": "notes", "key": "a", "value": 1, "ttl": 60},
        {"op": "set_field", "namespace": "notes", "key": "h", "field": "f", "value": 2},
        {"op": "delete", "namespace": "notes", "key": "old", "version": 1},
    ]
    failing = [*operations, {"op": "update", "namespace": "notes", "key": "absent", "value": {}}]
    assert owner.post("/api/documents/transaction/", {"operations": failing}).status_code == 404
    assert owner.get("/api/documents/notes/a/").status_code == 404
    answer = owner.post("/api/documents/transaction/", {"operations": operations})
    assert answer.status_code == 200
    assert [row and row["value"] for row in answer.json()["results"]] == [1, {"f": 2}, None]
    again = owner.post("/api/documents/transaction/", {"operations": operations[2:]})
    assert again.status_code == 412


@pytest.mark.parametrize(
    ("operation", "pointer"),
    [
        ({"op": "burn", "namespace": "n", "key": "k"}, "/operations/0/op"),
        ({"op": "save", "namespace": "n", "key": "k"}, "/operations/0/value"),
        ({"op": "set_field", "namespace": "n", "key": "k", "value": 1}, "/operations/0/field"),
        ({"op": "save", "namespace": "n", "key": "k", "value": 1, "ttl": 0}, "/operations/0/ttl"),
        ({"op": "save", "namespace": "n", "key": "..", "value": 1}, "/key"),
    ],
)
def test_an_operation_that_cannot_be_is_named(owner, operation, pointer):
    answer = owner.post("/api/documents/transaction/", {"operations": [operation]})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert owner.post("/api/documents/transaction/", {"operations": []}).status_code == 400
