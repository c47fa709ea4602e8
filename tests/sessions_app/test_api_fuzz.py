"""Whatever JSON comes in, the answer is no 500, and what was taken comes back as it was."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_session

pytestmark = pytest.mark.django_db

# Characters that no database keeps are tested by themselves; these are all the others.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=5)
odd = values | st.integers() | st.text(max_size=300) | st.datetimes().map(str)

FIELDS = {
    "/api/sessions/f1/": ["title", "status", "tags", "workflow", "metadata", "ttl_seconds", "external_ids", "user_id"],
    "/api/sessions/s1/state/": ["current_step", "iteration_count", "start_time", "errors", "data", "workflow_name"],
    "/api/workflows/f1/": ["name", "version", "nodes", "config", "loaded_at", "layout_algorithm"],
    "/api/workflow-runs/f1/": ["workflow", "session_id", "status", "execution_time", "started_at", "finished_at"],
    "/api/configs/f1/": ["value", "value_type", "section", "secrets", "description"],
    "/api/user-configs/f1/": ["preferences", "api_keys", "user_id"],
    "/api/documents/ns/f1/": ["value", "ttl"],
}
slow_setup = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("path", FIELDS)
def test_no_body_is_a_fault_of_ours(owner, path):
    make_session(session_id="s1")

    @slow_setup
    @given(st.dictionaries(st.sampled_from(FIELDS[path]) | texts, odd, max_size=4))
    def send(body):
        for method in (owner.put, owner.patch):
            answer = method(path, body)
            assert answer.status_code < 500, (body, answer.content)
            if answer.status_code >= 400:
                assert answer["Content-Type"] == "application/problem+json"

    send()


@pytest.mark.parametrize(
    ("path", "field", "documents"),
    [
        ("/api/sessions/f1/", "metadata", objects),
        ("/api/sessions/f1/", "agent_config", objects),
        ("/api/sessions/s1/state/", "errors", st.lists(values, max_size=4)),
        ("/api/workflows/f1/", "nodes", st.lists(objects, max_size=3)),
        ("/api/documents/ns/f1/", "value", values),
    ],
)
def test_a_document_comes_back_as_it_was(owner, path, field, documents):
    make_session(session_id="s1")

    @slow_setup
    @given(documents)
    def send(document):
        assert owner.put(path, {field: document}).status_code in (200, 201)
        # As text, so that 1 and 1.0, 0.0 and -0.0 are told apart.
        assert json.dumps(owner.get(path).json()[field]) == json.dumps(document)

    send()


def test_any_bytes_are_answered(owner):
    @slow_setup
    @given(st.binary(max_size=200) | texts.map(str.encode) | values.map(lambda value: json.dumps(value).encode()))
    def send(body):
        assert owner.post("/api/sessions/", body).status_code < 500

    send()


def test_any_query_is_answered(owner):
    names = st.sampled_from(
        ["status", "user_id", "tag", "q", "cursor", "ordering", "created_after", "page_size", "metadata.a"]
    )

    @slow_setup
    @given(st.dictionaries(names | texts, st.text(max_size=30), max_size=3))
    def send(params):
        clean = {name: text.encode("utf-8", "replace").decode() for name, text in params.items()}
        assert owner.get("/api/sessions/", clean).status_code < 500

    send()
