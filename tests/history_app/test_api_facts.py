"""Facts over the API: recorded, found, put right by operators, and never visible from another project."""

import pytest

from history_app.models import ErrorRecord, LLMCall, Message, TokenUsage
from sessions_app.models import AuditEntry, SessionActivity

pytestmark = pytest.mark.django_db

TOKENS = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
# For each address: a body, a change by PATCH, and what every fact of it can be found by besides its session and time.
KINDS = {
    "messages": ({"role": "user", "content": "Hello"}, {"content": "Hello!"}, {"role": "user"}),
    "tool-calls": (
        {"tool_name": "search", "tool_input": {"q": 1}, "tool_output": ["a"], "status": "success"},
        {"status": "error", "error_message": "no"},
        {"tool_name": "search", "status": "success"},
    ),
    "llm-calls": (
        {"model": "gpt-4o", "provider": "openai", "messages": [{"role": "user"}], "response": "Hi"},
        {"response": {"content": "Hi"}},
        {"model": "gpt-4o", "provider": "openai"},
    ),
    "token-usage": (
        {**TOKENS, "user_id": "ada", "provider": "openai", "source": "api_call"},
        {"reported_cost": "0.1"},
        {"model": "gpt-4o", "provider": "openai", "user_id": "ada", "source": "api_call", "cost_status": "computed"},
    ),
    "errors": (
        {"error_type": "Timeout", "error_message": "30 s", "severity": "warning"},
        {"severity": "critical"},
        {"error_type": "Timeout", "severity": "warning"},
    ),
    "metrics": ({"metric_type": "throughput", "metric_value": 2.5}, {"metric_value": 3}, {"metric_type": "throughput"}),
}
ADDRESSES = list(KINDS)
WHERE = {"session_id": "s-1", "timestamp": "2026-03-01T12:00:00Z"}


@pytest.fixture
def session(owner):
    return owner.post("/api/sessions/", {"session_id": "s-1"}).json()


@pytest.fixture
def recorded(owner, session):
    """Record one fact of the kind and return it as the API shows it."""

    def record(kind, **fields):
        answer = owner.post(f"/api/{kind}/", {**WHERE, "record_id": "r-1", **KINDS[kind][0], **fields})
        assert answer.status_code == 201, answer.content
        return answer.json()

    return record


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_fact_is_recorded_and_shown_as_it_was_sent(owner, recorded, kind):
    sent = {**WHERE, "record_id": "r-1", **KINDS[kind][0], "metadata": {"a": {"b": 1}}}
    fact = recorded(kind, metadata={"a": {"b": 1}})
    assert {name: fact[name] for name in sent} == sent
    assert owner.get(f"/api/{kind}/{fact['id']}/").json() == fact
    listed = owner.get(f"/api/{kind}/").json()["results"]
    assert [{name: row[name] for name in sent} for row in listed] == [sent]


@pytest.mark.parametrize("kind", ADDRESSES)
def test_the_same_fact_again_is_answered_with_the_stored_one(owner, recorded, kind):
    fact = recorded(kind)
    again = owner.post(f"/api/{kind}/", {**WHERE, "record_id": "r-1", **KINDS[kind][0]})
    assert (again.status_code, again.json()) == (200, fact)
    assert owner.post(f"/api/{kind}/", fact).status_code == 200
    other = owner.post(f"/api/{kind}/", {**WHERE, "record_id": "r-1", **KINDS[kind][0], "metadata": {"other": 1}})
    assert (other.status_code, other["Content-Type"]) == (409, "application/problem+json")


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_fact_is_given_an_id_and_a_time(owner, session, kind):
    answer = owner.post(f"/api/{kind}/", {"session_id": "s-1", **KINDS[kind][0]})
    assert answer.status_code == 201
    assert len(answer.json()["record_id"]) == 36
    assert answer.json()["timestamp"].endswith("Z")


@pytest.mark.parametrize("kind", ADDRESSES)
def test_unknown_fields_are_kept_in_the_metadata(recorded, kind):
    assert recorded(kind, host="h-1")["metadata"] == {"host": "h-1"}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_fact_of_an_unknown_session_is_refused(owner, session, kind):
    answer = owner.post(f"/api/{kind}/", {**WHERE, **KINDS[kind][0], "session_id": "unknown"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/session_id")


@pytest.mark.parametrize("kind", ADDRESSES)
def test_filters_find_the_fact_and_nothing_else(owner, recorded, kind):
    recorded(kind)
    found = {**KINDS[kind][2], "session_id": "s-1", "record_id": "r-1"}
    for name, value in {**KINDS[kind][2], "session_id": "s-1", "start": WHERE["timestamp"]}.items():
        assert len(owner.get(f"/api/{kind}/", {name: value}).json()["results"]) == 1, name
    assert len(owner.get(f"/api/{kind}/", found).json()["results"]) == 1
    for name in (*KINDS[kind][2], "session_id"):
        other = {"role": "tool", "status": "pending", "cost_status": "unknown", "severity": "info"}.get(name, "other")
        assert owner.get(f"/api/{kind}/", {name: other}).json()["results"] == [], name
    assert owner.get(f"/api/{kind}/", {"end": WHERE["timestamp"]}).json()["results"] == []


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"unknown": "1"}, "/unknown"),
        ({"start": "yesterday"}, "/start"),
        ({"record_id": "r-1"}, "/record_id"),
        ({"page_size": "0"}, "/page_size"),
        ({"page_size": "1001"}, "/page_size"),
        ({"cursor": "abc"}, "/cursor"),
        ({"ordering": "content"}, "/ordering"),
    ],
)
def test_a_filter_is_never_ignored(owner, session, kind, parameters, pointer):
    answer = owner.get(f"/api/{kind}/", parameters)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


@pytest.mark.parametrize("kind", ADDRESSES)
def test_pages_follow_each_other_newest_first(owner, recorded, kind):
    for number in range(5):
        recorded(kind, record_id=f"r-{number}", timestamp=f"2026-03-01T12:00:0{number // 2}Z")
    page = owner.get(f"/api/{kind}/", {"page_size": 2, "count": "true"}).json()
    assert (page["count"], page["previous"]) == (5, None)
    seen = []
    while True:
        seen += [row["record_id"] for row in page["results"]]
        if page["next"] is None:
            break
        page = owner.get(page["next"]).json()
    assert seen == ["r-4", "r-3", "r-2", "r-1", "r-0"]


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_operator_puts_a_fact_right_and_the_audit_tells_it(operator, recorded, kind):
    fact = recorded(kind)
    change = KINDS[kind][1]
    answer = operator.patch(f"/api/{kind}/{fact['id']}/", change)
    assert answer.status_code == 200, answer.content
    changed = answer.json()
    assert {name: changed[name] for name in change} == change
    assert {name for name in fact if fact[name] != changed[name]} <= {*change, "cost", "cost_status", "price_source"}
    assert AuditEntry.objects.filter(action__endswith=".update").count() == 1


@pytest.mark.parametrize("kind", ADDRESSES)
def test_put_states_a_fact_anew(operator, recorded, kind):
    fact = recorded(kind, metadata={"a": 1})
    answer = operator.put(f"/api/{kind}/{fact['id']}/", {**KINDS[kind][0], **KINDS[kind][1]})
    assert answer.status_code == 200, answer.content
    changed = answer.json()
    assert changed["metadata"] == {}
    assert {name: changed[name] for name in WHERE} == WHERE
    assert changed["record_id"] == "r-1"


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("name", ["session_id", "record_id"])
def test_a_fact_keeps_its_session_and_id(operator, recorded, kind, name):
    fact = recorded(kind)
    answer = operator.patch(f"/api/{kind}/{fact['id']}/", {name: "other"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}")


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_agent_records_but_changes_nothing(agent, recorded, kind):
    fact = recorded(kind)
    assert agent.post(f"/api/{kind}/", {**WHERE, **KINDS[kind][0]}).status_code == 201
    assert agent.patch(f"/api/{kind}/{fact['id']}/", KINDS[kind][1]).status_code == 403
    assert agent.put(f"/api/{kind}/{fact['id']}/", KINDS[kind][0]).status_code == 403
    assert agent.delete(f"/api/{kind}/{fact['id']}/").status_code == 403


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_deleted_fact_is_gone_and_the_audit_tells_it(operator, recorded, kind):
    fact = recorded(kind)
    assert operator.delete(f"/api/{kind}/{fact['id']}/").status_code == 204
    assert operator.get(f"/api/{kind}/{fact['id']}/").status_code == 404
    entry = AuditEntry.objects.get(action__endswith=".delete")
    assert entry.target_id == str(fact["id"])


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_outsider_sees_nothing_of_it(outsider, recorded, kind):
    fact = recorded(kind)
    address = f"/api/{kind}/{fact['id']}/"
    assert outsider.get(f"/api/{kind}/").json()["results"] == []
    assert outsider.get(f"/api/{kind}/", {"session_id": "s-1"}).json()["results"] == []
    absent = outsider.get(f"/api/{kind}/999999999/")
    for answer in (
        outsider.get(address),
        outsider.patch(address, KINDS[kind][1]),
        outsider.put(address, KINDS[kind][0]),
        outsider.delete(address),
    ):
        assert (answer.status_code, answer.json()) == (404, absent.json())
    assert outsider.post(f"/api/{kind}/", {**WHERE, **KINDS[kind][0]}).status_code == 400


@pytest.mark.parametrize("kind", ADDRESSES)
def test_nobody_comes_in_without_a_key(anonymous, recorded, kind):
    fact = recorded(kind)
    for answer in (anonymous.get(f"/api/{kind}/"), anonymous.get(f"/api/{kind}/{fact['id']}/")):
        assert (answer.status_code, answer["WWW-Authenticate"][:6]) == (401, "Bearer")


@pytest.mark.parametrize("kind", ["messages", "tool-calls", "llm-calls", "errors"])
def test_a_reader_sees_contents_masked(reader, recorded, kind):
    masked = {
        "messages": ["content"],
        "tool-calls": ["tool_input", "tool_output"],
        "llm-calls": ["messages", "response"],
        "errors": ["error_message"],
    }[kind]
    fact = recorded(kind)
    listed = reader.get(f"/api/{kind}/").json()["results"][0]
    single = reader.get(f"/api/{kind}/{fact['id']}/").json()
    for name in masked:
        assert (listed[name], single[name]) == ("********", "********")
    assert reader.post(f"/api/{kind}/", {**WHERE, **KINDS[kind][0]}).status_code == 403


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_list_takes_a_fixed_number_of_queries(owner, recorded, kind, django_assert_num_queries):
    for number in range(4):
        recorded(kind, record_id=f"r-{number}")
        owner.get(f"/api/{kind}/")
        with django_assert_num_queries(2):
            owner.get(f"/api/{kind}/")
        with django_assert_num_queries(3):
            owner.get(f"/api/{kind}/", {"session_id": "s-1"})


def test_large_documents_are_shown_in_part_in_lists_and_whole_alone(owner, recorded):
    large, text = {"rows": ["x" * 100] * 50}, '\\"世' * 2000
    call = recorded("tool-calls", tool_input=large, tool_output=text)
    row = owner.get("/api/tool-calls/").json()["results"][0]
    assert row["truncated"] is True
    assert row["tool_input"] == '{"rows":["' + "x" * 100 + '","' + row["tool_input"][113:]
    assert len(row["tool_input"]) == 2000
    assert text.startswith(row["tool_output"])
    assert len(row["tool_output"]) > 1000
    single = owner.get(f"/api/tool-calls/{call['id']}/").json()
    assert (single["tool_input"], single["tool_output"]) == (large, text)
    recorded("llm-calls", messages=[{"content": "y" * 3000}])
    row = owner.get("/api/llm-calls/").json()["results"][0]
    assert (row["truncated"], len(row["messages"]), row["response"]) == (True, 2000, "Hi")


def test_empty_documents_are_shown_as_empty(owner, recorded):
    recorded("llm-calls", messages=[], parameters={}, response=None)
    recorded("tool-calls", tool_input=None, tool_output=None)
    row = owner.get("/api/llm-calls/").json()["results"][0]
    assert (row["messages"], row["parameters"], row["response"], row["truncated"]) == ([], {}, None, False)
    row = owner.get("/api/tool-calls/").json()["results"][0]
    assert (row["tool_input"], row["tool_output"], row["truncated"]) == (None, None, False)


def test_a_deleted_message_is_not_counted_and_its_number_not_given_again(operator, recorded):
    first = recorded("messages")
    recorded("messages", record_id="r-2")
    operator.delete(f"/api/messages/{first['id']}/")
    assert SessionActivity.objects.get().message_count == 1
    assert recorded("messages", record_id="r-3")["sequence"] == 3


def test_a_message_keeps_its_number_when_it_is_put_right(operator, recorded):
    fact = recorded("messages")
    answer = operator.put(f"/api/messages/{fact['id']}/", {**fact, "content": [{"type": "text", "text": "a"}]})
    assert answer.json()["content"] == [{"type": "text", "text": "a"}]
    assert (answer.json()["sequence"], Message.objects.get().content) == (1, "a")


def test_messages_can_be_ordered_by_number_within_a_session(owner, recorded):
    for number in range(3):
        recorded("messages", record_id=f"r-{number}")
    rows = owner.get("/api/messages/", {"session_id": "s-1", "ordering": "sequence"}).json()["results"]
    assert [row["sequence"] for row in rows] == [1, 2, 3]
    assert owner.get("/api/messages/", {"ordering": "sequence"}).status_code == 400


def test_a_response_can_follow_its_request(owner, operator, recorded):
    call = recorded("llm-calls", response=None)
    assert call["response_record_id"] is None
    answer = operator.patch(f"/api/llm-calls/{call['id']}/", {"response": "Hi", "response_time": 2})
    assert answer.json()["responded_at"] == "2026-03-01T12:00:02Z"
    assert LLMCall.objects.get().answered


def test_a_reported_cost_is_the_cost(owner, operator, recorded):
    usage = recorded("token-usage", reported_cost="0.000000000000000000000001")
    assert (usage["cost"], usage["cost_status"]) == ("0.000000000000000000000001", "reported")
    answer = operator.patch(f"/api/token-usage/{usage['id']}/", {"reported_cost": None})
    assert (answer.json()["cost"], answer.json()["cost_status"]) == ("0.00045", "computed")


def test_a_change_leaves_both_costs_of_a_use(owner, operator, recorded):
    usage = recorded("token-usage", record_id="u-1", reported_cost="0.25", timestamp="2026-03-01T12:00:00Z")
    cost = {name: usage[name] for name in ("model", "prompt_tokens", "completion_tokens", "total_tokens", "timestamp")}
    record = {"record_type": "cost", "session_id": usage["session_id"], "record_id": "c-1", "total_cost": "0.3", **cost}
    assert owner.post("/api/records/", [record]).json()["accepted"] == 1
    path = f"/api/token-usage/{usage['id']}/"
    changed = operator.patch(path, {"metadata": {"n": 1}}).json()
    note = {"stated_cost": "0.25"}
    assert (changed["cost"], changed["metadata"]) == ("0.3", {"n": 1, "cost_record": note})
    assert operator.patch(path, {"reported_cost": "0.5"}).status_code == 400
    assert owner.post("/api/records/", [record]).json()["duplicates"] == 1


def test_changes_with_a_bad_value_change_nothing(operator, recorded):
    fact = recorded("errors")
    answer = operator.patch(f"/api/errors/{fact['id']}/", {"severity": "odd", "error_type": "Other"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/severity")
    assert ErrorRecord.objects.get().error_type == "Timeout"


def test_staff_of_several_projects_see_their_facts_and_name_one_to_write(staff_admin, other_project, recorded):
    fact = recorded("token-usage")
    assert [row["id"] for row in staff_admin.get("/api/token-usage/").json()["results"]] == [fact["id"]]
    assert staff_admin.get("/api/token-usage/", {"project": "other"}).json()["results"] == []
    assert TokenUsage.objects.count() == 1
