"""The short way of ordinary writes: it answers what the views answer, and leaves everything else to them."""

import json
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from history_app.api.short_way import ShortWay
from history_app.api.views.conversations import SessionMessageViewSet
from history_app.api.views.records import RecordsViewSet
from history_app.models import Message
from sessions_app.models import ApiKey
from sessions_app.services.api_keys import KEY_MEMORY, api_key_remembered, api_key_revoke
from tests.factories import make_session
from tests.history_app.records import record

pytestmark = pytest.mark.django_db

ADDRESS = "/api/sessions/s-1/messages/"
BODY = {"record_id": "m-1", "role": "user", "content": "订单在哪里？", "metadata": {"lang": "zh"}}
VIEWS = HttpResponse("the views", status=299)
# What the middleware adds that is passed by: how the answer would differ for another kind of client.
LONG_WAY_ONLY = {"Vary", "Allow", "Content-Language"}


@pytest.fixture
def session(project):
    return make_session(session_id="s-1")


@pytest.fixture
def sent(agent):
    """Send a request to the short way alone; 299 says that it was passed on."""

    def send(address=ADDRESS, body=BODY, token=agent.token, method="post", **headers):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        content_type = headers.pop("content_type", "application/json")
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        make = getattr(RequestFactory(), method)
        request = make(address, raw, content_type=content_type, headers={**authorization, **headers})
        return ShortWay(lambda _request: VIEWS)(request)

    return send


def test_a_message_is_answered_as_the_view_answers_it(agent, session, sent):
    short = sent()
    # An Idempotency-Key takes the long way.
    long = agent.post(ADDRESS, {**BODY, "record_id": "m-2"}, headers={"Idempotency-Key": "k"})
    assert (short.status_code, long.status_code) == (201, 201)
    told, view = json.loads(short.content), long.json()
    own = {"id", "record_id", "sequence", "timestamp"}
    assert {name: told[name] for name in told.keys() - own} == {name: view[name] for name in view.keys() - own}
    assert (told["record_id"], told["sequence"], view["sequence"]) == ("m-1", 1, 2)
    assert list(told) == list(view)
    again = agent.get(ADDRESS).json()["results"][0]
    assert again == told


def test_the_answer_carries_the_headers_that_other_answers_carry(agent, session):
    short = agent.post(ADDRESS, BODY)
    long = agent.post(ADDRESS, BODY, headers={"Idempotency-Key": "k"})
    assert dict(short.items()).keys() == dict(long.items()).keys() - LONG_WAY_ONLY
    for name in dict(short.items()).keys() - {"Content-Length"}:
        assert short[name] == long[name], name


def test_records_are_answered_as_the_view_answers_them(agent, session, sent):
    kinds = [record("message", "m-1"), record("metric", "x-1", metric_type="t", metric_value=1)]
    assert json.loads(sent("/api/records/", kinds).content) == {"accepted": 2, "duplicates": 0, "rejected": []}
    clash = [{**kinds[0], "content": "Something else"}, kinds[1], record("message", "m-2")]
    short, long = sent("/api/records/", clash), agent.post("/api/records/", clash, headers={"Idempotency-Key": "k"})
    told, view = json.loads(short.content), long.json()
    assert (told["accepted"], told["duplicates"], view["accepted"], view["duplicates"]) == (1, 1, 0, 2)
    assert told["rejected"] == view["rejected"]


@pytest.mark.parametrize("count", [1, 2, 120])
def test_few_records_are_numbered_in_their_order(agent, sent, session, count):
    make_session(session_id="s-2")
    sent("/api/records/", [record("message", "m-0", session_id="s-2")])
    names = [("s-1", "s-2")[number % 3 == 1] for number in range(count)]
    records = [record("message", f"m{number}", session_id=name) for number, name in enumerate(names)]
    assert json.loads(sent("/api/records/", records).content)["accepted"] == count
    for name in ("s-1", "s-2"):
        stored = Message.objects.filter(session__session_id=name).order_by("sequence")
        mine = [f"m{number}" for number, each in enumerate(names) if each == name]
        expected = (["m-0"] if name == "s-2" else []) + mine
        assert [(each.sequence, each.record_id) for each in stored] == list(enumerate(expected, 1))
        if stored:
            assert stored[0].session.activity.message_count == stored[0].session.activity.last_sequence == len(stored)


def test_texts_with_signs_of_the_wire_in_them_come_back_as_they_were(agent, sent, session):
    texts = ["a\x1fb", "\x1e", "", "\\N", "tab\tline\n\\", '{"a": 1}', "NULL", "''"]
    records = [record("message", f"m-{place}", content=text) for place, text in enumerate(texts)]
    assert json.loads(sent("/api/records/", records).content)["accepted"] == len(texts)
    for start in (2, 3):
        rest = [{**each, "record_id": f"{start}{each['record_id']}"} for each in records[start:]]
        assert json.loads(sent("/api/records/", rest).content)["accepted"] == len(rest)
    stored = [each.content for each in Message.objects.order_by("sequence")]
    assert stored == texts + texts[2:] + texts[3:]


@pytest.mark.parametrize(
    "changed",
    [
        {"address": "/api/sessions/elsewhere/messages/"},
        {"address": ADDRESS + "?project=default"},
        {"address": "/api/records/?atomic=true", "body": [record("message", "m-1")]},
        {"address": "/api/records/", "body": []},
        {"address": "/api/records/", "body": [record("message", "m-1"), record("message", "m-2", role="narrator")]},
        {"address": "/api/records/", "body": [{**record("message", "m-1"), "own": 1}]},
        {"address": "/api/records/", "body": b"{"},
        {"body": [BODY]},
        {"body": b"{}"},
        {"body": b""},
        {"body": {**BODY, "session_id": "s-2"}},
        {"body": {**BODY, "record_type": "metric"}},
        {"body": {**BODY, "sequence": 7}},
        {"body": {**BODY, "content": "a\x00b"}},
        {"body": {**BODY, "metadata": {"n": 2**70}}},
        {"token": None},
        {"token": "al_x_y_z"},
        {"Idempotency-Key": "k"},
        {"Content-Encoding": "gzip"},
        {"content_type": "application/x-ndjson"},
        {"Host": "elsewhere.example"},
        {"method": "put"},
    ],
)
def test_what_is_out_of_the_ordinary_goes_to_the_views_and_stores_nothing(sent, session, changed):
    assert sent(**changed) is VIEWS
    assert not Message.objects.exists()


def test_a_body_over_the_limits_goes_to_the_views(sent, session, settings):
    settings.MAX_RECORD_BYTES = 20
    assert sent() is VIEWS
    settings.MAX_RECORD_BYTES, settings.MAX_RECORDS = 10_000, 1
    assert sent("/api/records/", [record("message", "m-1"), record("message", "m-2")]) is VIEWS


def test_a_reader_and_an_outsider_write_nothing(sent, session, reader, outsider):
    assert sent(token=reader.token) is VIEWS
    assert sent(token=outsider.token) is VIEWS
    assert reader.post(ADDRESS, BODY).status_code == 403
    assert outsider.post(ADDRESS, BODY).status_code == 404


def test_a_record_that_is_there_is_told_as_a_repetition(agent, session, sent):
    assert [sent().status_code, sent().status_code] == [201, 200]
    assert sent(body={**BODY, "content": "Something else"}) is VIEWS
    assert agent.post(ADDRESS, {**BODY, "content": "Something else"}).status_code == 409


def test_a_revoked_key_is_useless_at_once(agent, session):
    assert agent.post(ADDRESS, BODY).status_code == 201
    api_key_revoke(key=ApiKey.objects.get(name="agent"), now=timezone.now())
    assert agent.post(ADDRESS, {**BODY, "record_id": "m-2"}).status_code == 401
    assert Message.objects.count() == 1


def test_a_key_that_gets_another_role_loses_its_power_at_once(agent, session):
    assert agent.post(ADDRESS, BODY).status_code == 201
    key = ApiKey.objects.get(name="agent")
    key.role = "reader"
    key.save()
    assert agent.post(ADDRESS, {**BODY, "record_id": "m-2"}).status_code == 403


def test_a_key_that_another_process_revoked_is_useless_within_a_second(agent):
    now = timezone.now()
    assert api_key_remembered(token=agent.token, now=now) is not None
    ApiKey.objects.update(revoked_at=now)
    assert timedelta(seconds=1) > KEY_MEMORY
    assert api_key_remembered(token=agent.token, now=now + KEY_MEMORY) is None


def test_a_key_that_ends_is_useless_from_then_on(agent):
    now = timezone.now()
    ApiKey.objects.update(expires_at=now + timedelta(milliseconds=100))
    assert api_key_remembered(token=agent.token, now=now) is not None
    assert api_key_remembered(token=agent.token, now=now + timedelta(milliseconds=101)) is None


def test_the_views_have_no_rule_that_the_short_way_does_not_know():
    # Who adds a throttle or a permission to these views adds it to the short way, and to this test.
    for view in (RecordsViewSet, SessionMessageViewSet):
        assert view.throttle_classes == []
        assert [each.__name__ for each in view.permission_classes] == ["RolePermission"]
        assert "create" not in view.action_roles
