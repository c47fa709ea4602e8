"""Idempotency-Key: a write is done once under its key, and answered the same again."""

import gzip
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from history_app.models import Message
from sessions_app.models import ApiKey, KeptAnswer, Session
from sessions_app.services.idempotency import kept_answers_prune
from sessions_app.services.jobs import job_enqueue, job_run
from tests.factories import make_session
from tests.history_app.records import record

pytestmark = pytest.mark.django_db

KEY = {"Idempotency-Key": "key-1"}
ADDRESS = "/api/sessions/s-1/messages/"
BODY = {"role": "user", "content": "Where is my order?"}


@pytest.fixture
def session(project):
    return make_session(session_id="s-1")


def _same(first, second):
    assert second.status_code == first.status_code
    assert second.content == first.content
    headers = {name: value for name, value in second.items() if name != "Idempotency-Replayed"}
    assert headers == dict(first.items())
    assert (first.has_header("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (False, "true")


def test_the_same_request_again_is_answered_the_same_and_does_nothing(agent, session):
    first = agent.post(ADDRESS, BODY, headers=KEY)
    assert first.status_code == 201
    _same(first, agent.post(ADDRESS, BODY, headers=KEY))
    assert Message.objects.count() == 1
    agent.post(ADDRESS, BODY)
    assert Message.objects.count() == 2


def test_every_method_that_writes_takes_a_key(operator):
    body = {"user_id": "u-1", "title": "Refund"}
    for number, (method, address, sent) in enumerate(
        [
            (operator.put, "/api/sessions/s-1/", body),
            (operator.patch, "/api/sessions/s-1/", {"title": "Return"}),
            (operator.post, "/api/tasks/", {"session_id": "s-1", "user_input": "Find the parcel."}),
            (operator.delete, "/api/sessions/s-1/", None),
        ]
    ):
        headers = {"Idempotency-Key": f"key-{number}"}
        first = method(address, sent, headers=headers)
        assert first.status_code < 300, first.content
        _same(first, method(address, sent, headers=headers))


def test_the_version_and_what_was_replaced_are_answered_again(operator, session):
    sent = {"title": "a\x00b"}
    first = operator.patch("/api/sessions/s-1/", sent, headers=KEY)
    assert (first["ETag"], first["X-Replaced-Characters"]) == ('"2"', "1")
    _same(first, operator.patch("/api/sessions/s-1/", sent, headers=KEY))
    assert Session.objects.get().version == 2


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("post", ADDRESS, {**BODY, "content": "Something else"}),
        ("post", "/api/messages/", {**BODY, "session_id": "s-1"}),
        ("put", "/api/sessions/s-1/", BODY),
        ("post", "/api/sessions/s-1/messages/?project=default", BODY),
    ],
)
def test_another_request_under_a_used_key_is_a_conflict(operator, session, method, address, body):
    assert operator.post(ADDRESS, BODY, headers=KEY).status_code == 201
    answer = getattr(operator, method)(address, body, headers=KEY)
    assert answer.status_code == 409
    assert "Idempotency-Key" in answer.json()["detail"]
    assert Message.objects.count() == 1


def test_keys_of_two_projects_have_nothing_to_do_with_each_other(agent, outsider, session):
    assert agent.post("/api/records/", [record("message", "m-1")], headers=KEY).json()["accepted"] == 1
    other = outsider.post("/api/records/", [record("message", "m-2")], headers=KEY)
    assert other.json()["accepted"] == 1
    assert not other.has_header("Idempotency-Replayed")


def test_a_failure_is_not_kept(agent, project):
    assert agent.post(ADDRESS, BODY, headers=KEY).status_code == 404
    make_session(session_id="s-1")
    assert agent.post(ADDRESS, {"role": "narrator"}, headers=KEY).status_code == 400
    assert agent.post(ADDRESS, BODY, headers=KEY).status_code == 201


def test_a_refused_delivery_is_not_kept_and_leaves_nothing(agent, project):
    records = [record("message", "m-1"), record("message", "m-2", role="narrator")]
    answer = agent.post("/api/records/?atomic=true", records, headers=KEY)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not Message.objects.exists()
    assert not KeptAnswer.objects.exists()
    assert agent.post("/api/records/?atomic=true", records[:1], headers=KEY).json()["accepted"] == 1


def test_a_delivery_of_records_without_ids_is_stored_once(agent, project):
    records = [record("message", "m") for _ in range(3)]
    for each in records:
        del each["record_id"]
    body = "\n".join(json.dumps(each) for each in records).encode()
    first = agent.post("/api/records/", body, content_type="application/x-ndjson", headers=KEY)
    _same(first, agent.post("/api/records/", body, content_type="application/x-ndjson", headers=KEY))
    assert Message.objects.count() == 3


def test_a_body_is_the_same_however_it_is_compressed(agent, session):
    raw = json.dumps(BODY).encode()
    first = agent.post(ADDRESS, gzip.compress(raw, 1, mtime=1), headers={**KEY, "Content-Encoding": "gzip"})
    _same(first, agent.post(ADDRESS, gzip.compress(raw, 9, mtime=2), headers={**KEY, "Content-Encoding": "gzip"}))
    _same(first, agent.post(ADDRESS, raw, headers=KEY))


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ключ", "a\tb"])
def test_a_key_is_visible_and_not_too_long(agent, session, key):
    answer = agent.post(ADDRESS, BODY, headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert not Message.objects.exists()


def test_the_longest_key_is_taken_byte_by_byte(agent, session):
    for key in ("x" * 255, "X" * 255):
        assert agent.post(ADDRESS, BODY, headers={"Idempotency-Key": key}).status_code == 201
    assert Message.objects.count() == 2


def test_a_key_opens_nothing_for_who_may_not(owner, agent, project):
    sent = {"name": "new", "role": "agent"}
    first = owner.post("/api/api-keys/", sent, headers=KEY)
    assert first.status_code == 201
    assert agent.post("/api/api-keys/", sent, headers=KEY).status_code == 403
    _same(first, owner.post("/api/api-keys/", sent, headers=KEY))
    assert ApiKey.objects.filter(name="new").count() == 1


def test_a_new_key_does_not_stand_in_the_table_in_clear(owner, project):
    answer = owner.post("/api/api-keys/", {"name": "new", "role": "agent"}, headers=KEY)
    secret = answer.json()["key"]
    row = KeptAnswer.objects.get()
    assert secret not in row.body + str(row.headers) + row.fingerprint


def test_staff_may_use_keys_too(staff_admin, session):
    options = {"content_type": "application/json", "headers": KEY}
    first = staff_admin.post(ADDRESS, json.dumps(BODY), **options)
    assert first.status_code == 201
    _same(first, staff_admin.post(ADDRESS, json.dumps(BODY), **options))


def test_reads_do_not_ask_for_keys(agent, session, django_assert_num_queries):
    agent.get(ADDRESS)
    with django_assert_num_queries(3):
        agent.get(ADDRESS, headers=KEY)
    assert not KeptAnswer.objects.exists()


def test_old_answers_are_forgotten_in_batches(agent, session, settings):
    for number in range(5):
        agent.post(ADDRESS, BODY, headers={"Idempotency-Key": f"key-{number}"})
    KeptAnswer.objects.exclude(key="key-4").update(created_at=timezone.now() - timedelta(hours=25))
    assert kept_answers_prune(now=timezone.now(), batch=3) == 4
    assert list(KeptAnswer.objects.values_list("key", flat=True)) == ["key-4"]
    settings.IDEMPOTENCY_HOURS = 0
    job_run(job_id=job_enqueue(kind="answers.prune", now=timezone.now()).pk)
    assert not KeptAnswer.objects.exists()
    assert agent.post(ADDRESS, BODY, headers={"Idempotency-Key": "key-4"}).status_code == 201


def test_the_schema_names_the_key_on_every_write(client):
    from drf_spectacular.generators import SchemaGenerator

    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for operations in paths.values():
        for method, operation in operations.items():
            named = [each["name"] for each in operation.get("parameters", [])]
            assert ("Idempotency-Key" in named) == (method in {"post", "put", "patch", "delete"})
