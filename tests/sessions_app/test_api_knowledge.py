"""Knowledge sources and documents over the API."""

from datetime import UTC, datetime

import pytest

from sessions_app.models import Document

pytestmark = pytest.mark.django_db

SOURCE = {"source_name": "Handbook", "source_path": "/docs/handbook.pdf", "source_type": "pdf"}


def test_a_deleted_source_can_be_brought_back(owner):
    source = owner.post("/api/knowledge-sources/", SOURCE).json()
    path = f"/api/knowledge-sources/{source['id']}/"
    assert owner.delete(path).status_code == 204
    assert owner.get(path).status_code == 404
    assert owner.get("/api/knowledge-sources/").json()["results"] == []
    assert [row["id"] for row in owner.get("/api/knowledge-sources/", {"deleted": "true"}).json()["results"]] == [
        source["id"]
    ]
    assert owner.post(f"{path}undelete/").json()["deleted_at"] is None
    assert owner.post(f"{path}undelete/").status_code == 409
    assert owner.get(path).json()["source_name"] == "Handbook"


def test_a_source_is_changed(owner):
    made = owner.post("/api/knowledge-sources/", {**SOURCE, "metadata": {"a": 1}}).json()
    path = f"/api/knowledge-sources/{made['id']}/"
    body = owner.patch(path, {"status": "inactive", "metadata": {"b": 2}}).json()
    assert (body["status"], body["metadata"]) == ("inactive", {"a": 1, "b": 2})
    body = owner.put(path, SOURCE).json()
    assert (body["status"], body["metadata"]) == ("active", {})
    assert owner.put(path, {"source_name": "x"}).status_code == 400
    for params, count in [({"status": "active"}, 1), ({"status": "inactive"}, 0), ({"source_type": "pdf"}, 1)]:
        assert len(owner.get("/api/knowledge-sources/", params).json()["results"]) == count


@pytest.mark.parametrize("value", [{"a": 1}, [1, "二"], "text", 5, 1.5, True, None, {}, []])
def test_any_json_value_is_a_document(owner, value):
    answer = owner.put("/api/documents/cache/user:1/profile/", {"value": value})
    assert answer.status_code == 201
    assert owner.get("/api/documents/cache/user:1/profile/").json()["value"] == value


@pytest.mark.parametrize("key", ["a/b..c/d", ".hidden", "with space", "键", "100%", "a?b#c", "x" * 500])
def test_any_text_is_a_key(owner, key):
    from urllib.parse import quote

    path = f"/api/documents/ns/{quote(key, safe='')}/"
    assert owner.put(path, {"value": 1}).status_code == 201
    assert owner.get(path).json()["key"] == key
    assert owner.delete(path).status_code == 204
    assert owner.get(path).status_code == 404


def test_a_namespace_lists_its_documents_by_prefix(owner):
    for key in ("b", "a/1", "a/2", "a"):
        owner.put(f"/api/documents/ns/{key}/", {"value": key})
    owner.put("/api/documents/other/a/", {"value": 0})
    assert [row["key"] for row in owner.get("/api/documents/ns/").json()["results"]] == ["a", "a/1", "a/2", "b"]
    assert [row["key"] for row in owner.get("/api/documents/ns/", {"prefix": "a/"}).json()["results"]] == ["a/1", "a/2"]


def test_a_document_ends_with_its_time(owner):
    owner.put("/api/documents/ns/k/", {"value": 1, "ttl": 60})
    assert owner.get("/api/documents/ns/k/").json()["expires_at"] is not None
    Document.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert owner.get("/api/documents/ns/k/").status_code == 404
    assert owner.get("/api/documents/ns/").json()["results"] == []
    again = owner.put("/api/documents/ns/k/", {"value": 2})
    assert (again.status_code, again.json()["expires_at"], again.json()["version"]) == (201, None, 2)


def test_a_document_is_merged_and_versioned(owner):
    owner.put("/api/documents/ns/k/", {"value": {"a": 1, "b": 2}, "ttl": 60})
    answer = owner.patch("/api/documents/ns/k/", {"value": {"a": None}}, headers={"If-Match": '"1"'})
    assert answer.json()["value"] == {"b": 2}
    assert answer.json()["expires_at"] is not None
    assert answer["ETag"] == '"2"'
    assert owner.put("/api/documents/ns/k/", {"value": 0}, headers={"If-Match": '"1"'}).status_code == 412
    assert owner.patch("/api/documents/ns/absent/", {"value": 0}).status_code == 404


def test_a_new_end_alone_keeps_the_value(owner):
    owner.put("/api/documents/ns/k/", {"value": [1, 2]})
    body = owner.patch("/api/documents/ns/k/", {"ttl": 60}).json()
    assert body["value"] == [1, 2]
    assert body["expires_at"] is not None


@pytest.mark.parametrize(
    "body", [{"value": 1, "ttl": 0}, {"value": 1, "ttl": -5}, {"value": 1, "ttl": "60"}, {"ttl": 60}]
)
def test_a_document_that_cannot_be_kept_is_refused(owner, body):
    assert owner.put("/api/documents/ns/k/", body).status_code == 400


def test_a_key_or_namespace_over_its_length_is_refused(owner):
    assert owner.put(f"/api/documents/ns/{'x' * 501}/", {"value": 1}).status_code == 400
    assert owner.put(f"/api/documents/{'x' * 101}/k/", {"value": 1}).status_code == 400


@pytest.mark.parametrize("size", [1, 15])
def test_the_lists_take_two_queries(owner, django_assert_num_queries, size):
    for number in range(size):
        owner.put(f"/api/documents/ns/k{number}/", {"value": number})
        owner.post("/api/knowledge-sources/", SOURCE)
    for path in ("/api/documents/ns/", "/api/knowledge-sources/"):
        with django_assert_num_queries(2):
            assert len(owner.get(path).json()["results"]) == size
