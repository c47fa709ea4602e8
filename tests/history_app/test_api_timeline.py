"""The timeline of a session over the API: every record once, in the order of time, in pages."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.factories import make_session
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db

PATH = "/api/sessions/s-1/timeline/"
KINDS = ("message", "llm_request", "llm_response", "token_usage", "cost", "tool_call", "error", "metric")


def at(seconds):
    return (datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def day(project, now):
    """Two records of every type in `s-1`, a second apart, and one in another session."""
    records = [
        record(kind, f"{kind}-{turn}", timestamp=at(10 * turn + place))
        | ({"request_id": f"call-{turn}"} if kind.startswith("llm") else {})
        for turn in range(2)
        for place, kind in enumerate(KINDS)
    ]
    # A cost belongs to the use beside it.
    for found in records:
        if found["record_type"] == "cost":
            found["timestamp"] = at(10 * int(found["record_id"][-1]) + 3)
    write(project, [*records, record("message", "elsewhere", session_id="s-2")], now)
    return records


def _ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["record_id"] for row in answer.json()["results"]]


def test_every_record_is_there_in_the_order_of_time(owner, day):
    assert _ids(owner.get(PATH)) == [f"{kind}-{turn}" for turn in range(2) for kind in KINDS]


def test_a_record_is_shown_as_it_was_recorded(owner, day):
    shown = {row["record_id"]: row for row in owner.get(PATH).json()["results"]}
    for sent in day:
        stated = {name: value for name, value in sent.items() if name != "success"}
        assert shown[sent["record_id"]].items() >= stated.items()
    assert shown["tool_call-0"]["status"] == "success"
    assert shown["message-1"]["sequence"] == 2


def test_what_is_read_can_be_recorded_again_and_is_known(owner, day):
    records = [{k: v for k, v in row.items() if k != "sequence"} for row in owner.get(PATH).json()["results"]]
    answer = owner.post("/api/records/", records)
    assert answer.json() == {"accepted": 0, "duplicates": 16, "rejected": []}


def test_records_of_one_moment_have_one_order_on_every_page_size(owner, project, now):
    records = [record(kind, f"{kind}-{n}") for n in range(3) for kind in KINDS if not kind.startswith("llm")]
    write(project, records, now)
    whole = _ids(owner.get(PATH))
    assert whole == [f"{kind}-{n}" for kind in KINDS if not kind.startswith("llm") for n in range(3)]
    for size in (1, 2, 5, 17):
        seen, page = [], owner.get(PATH, {"page_size": size})
        seen += _ids(page)
        while page.json()["next"]:
            page = owner.get(page.json()["next"])
            seen += _ids(page)
        assert seen == whole
        back = _ids(page)
        while page.json()["previous"]:
            page = owner.get(page.json()["previous"])
            back = _ids(page) + back
        assert back == whole


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"record_type": ["error"]}, ["error-0", "error-1"]),
        ({"record_type": ["cost", "message"]}, ["message-0", "cost-0", "message-1", "cost-1"]),
        ({"start": at(16)}, ["error-1", "metric-1"]),
        ({"start": at(7), "end": at(11)}, ["metric-0", "message-1"]),
        ({"end": at(0)}, []),
        ({"start": at(2), "end": at(13), "record_type": "llm_response"}, ["llm_response-0", "llm_response-1"]),
    ],
)
def test_a_part_of_the_timeline(owner, day, parameters, expected):
    assert _ids(owner.get(PATH, parameters)) == expected


def test_counting_follows_the_filters(owner, day):
    assert owner.get(PATH, {"count": "true", "page_size": 1}).json()["count"] == 16
    assert owner.get(PATH, {"count": "true", "record_type": "error", "start": at(9)}).json()["count"] == 1


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"record_type": "thought"}, "/record_type"),
        ({"record_type": ""}, "/record_type"),
        ({"start": "yesterday"}, "/start"),
        ({"end": "1066-10-14T00:00:00Z"}, "/end"),
        ({"start": [at(1), at(2)]}, "/start"),
        ({"cursor": "x"}, "/cursor"),
        ({"page_size": 1001}, "/page_size"),
        ({"count": "yes"}, "/count"),
        ({"kind": "error"}, "/kind"),
    ],
)
def test_a_bad_parameter_is_named(owner, day, parameters, pointer):
    answer = owner.get(PATH, parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


def test_a_cursor_of_another_list_is_refused(owner, day):
    cursor = owner.get("/api/messages/", {"page_size": 1}).json()["next"].partition("cursor=")[2]
    assert owner.get(f"{PATH}?cursor={cursor}").status_code == 400


def test_of_a_large_document_the_beginning_is_shown(owner, project, now):
    write(project, [record("tool_call", "t-1", tool_input={"q": "x"}, tool_output="long " * 1000)], now)
    [row] = owner.get(PATH).json()["results"]
    assert row["truncated"] is True
    assert row["tool_input"] == {"q": "x"}
    assert ("long " * 1000).startswith(row["tool_output"])
    assert 1900 < len(row["tool_output"]) <= 2000


def test_numbers_and_amounts_come_out_exactly(owner, project, now):
    exact = {"n": 12345678901234567890123, "f": 0.1, "z": -0.0}
    write(project, [record("cost", "c-1", total_cost="0.000000000000000000000123", metadata=exact)], now)
    [row] = owner.get(PATH, {"record_type": "cost"}).json()["results"]
    assert row["total_cost"] == "0.000000000000000000000123"
    assert row["metadata"] == exact


def test_an_outsider_cannot_see_the_timeline(outsider, anonymous, day):
    assert outsider.get(PATH).status_code == 404
    assert anonymous.get(PATH).status_code == 401


def test_a_reader_sees_contents_masked(reader, day):
    rows = {row["record_id"]: row for row in reader.get(PATH).json()["results"]}
    assert rows["message-0"]["content"] == "********"
    assert rows["tool_call-0"]["tool_input"] == rows["tool_call-0"]["tool_output"] == "********"
    assert rows["llm_request-0"]["messages"] == rows["llm_response-0"]["response"] == "********"
    assert rows["error-0"]["error_message"] == "********"
    assert rows["message-0"]["role"] == "user"


def test_a_page_takes_a_fixed_number_of_queries(owner, day, django_assert_num_queries):
    # The key, the session, one for each of eight types, and one for each table that the page has records of.
    owner.get(PATH)
    for size, tables in ((1, 1), (1000, 6)):
        with django_assert_num_queries(2 + 8 + tables):
            owner.get(PATH, {"page_size": size})


def test_an_empty_session_has_an_empty_timeline(owner, project):
    make_session(session_id="s-1")
    assert owner.get(PATH).json() == {"next": None, "previous": None, "results": []}
