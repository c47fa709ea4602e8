"""Any mix of records, in any order, cut into any batches, retried any number of times, gives the same store."""

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history_app.models import ErrorRecord, LLMCall, Message, Metric, TokenUsage, ToolCall
from sessions_app.models import Project, Session, SessionActivity
from tests.history_app.records import outcomes, record

pytestmark = pytest.mark.django_db

SESSIONS = ("s-1", "s-1", "s-2")
TIMES = ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z")
MODELS = ("", "gpt-4o", "gpt-4")
AMOUNTS = {"cost": "total_cost", "token_usage": "reported_cost"}
MODELS_OF_FACTS = (Message, ToolCall, LLMCall, TokenUsage, ErrorRecord, Metric)
NOT_COMPARED = {"id", "session_id", "project_id", "sequence"}


# Costs and uses of tokens, which must find each other, are more frequent than the rest.
KINDS = ["token_usage", "token_usage", "cost", "cost", "llm_call", "message", "tool_call", "error", "metric"]


@st.composite
def records(draw):
    """Records of every kind that often belong together: same calls, same tokens, same second."""
    made = []
    for place in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(KINDS))
        common = {"session_id": draw(st.sampled_from(SESSIONS)), "timestamp": draw(st.sampled_from(TIMES))}
        common["metadata"] = draw(st.sampled_from([{}, {"n": place}]))
        if kind == "llm_call":
            joined = {**common, "request_id": f"call-{place}"}
            made.append(record("llm_request", f"q-{place}", **joined, model="gpt-4o"))
            if draw(st.booleans()):
                made.append(record("llm_response", f"p-{place}", **joined, model=draw(st.sampled_from(MODELS))))
        else:
            amount = {AMOUNTS[kind]: draw(st.sampled_from([f"0.{place + 1}0", None]))} if kind in AMOUNTS else {}
            made.append(record(kind, f"r-{draw(st.integers(0, 99))}-{place}", **common, **amount))
    return made


@st.composite
def deliveries(draw, raws):
    """The records in any order, some more than once, cut into batches."""
    extra = draw(st.lists(st.sampled_from(raws), max_size=6))
    order = draw(st.permutations([*raws, *extra]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=4)))
    return [list(order[start:end]) for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]


def _store(project):
    """Return everything that is stored in the project, but for numbers that follow the order of arrival."""
    rows = Counter()
    for model in MODELS_OF_FACTS:
        for row in model.objects.filter(project=project).select_related("session"):
            values = {
                field.attname: getattr(row, field.attname)
                for field in model._meta.concrete_fields
                if field.attname not in NOT_COMPARED
            }
            rows[model.__name__, row.session.session_id, json.dumps(values, sort_keys=True, default=str)] += 1
    return rows


def _emptied(name):
    project, _created = Project.objects.get_or_create(slug=name, defaults={"name": name})
    Session.objects.filter(project=project).delete()
    return project


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_order_batches_and_retries_do_not_matter(db, now, data):
    raws = data.draw(records())
    straight, shuffled = _emptied("straight"), _emptied("shuffled")
    assert set(outcomes(straight, raws, now)) == {"new"}
    found = Counter()
    for batch in data.draw(deliveries(raws)):
        found.update(outcomes(shuffled, batch, now))
    assert found["new"] == len(raws)
    assert set(found) <= {"new", "same"}
    assert _store(shuffled) == _store(straight)
    assert all(count == 1 for count in _store(straight).values())
    _check_numbers(shuffled)


def _check_numbers(project):
    for session in Session.objects.filter(project=project):
        numbers = Message.objects.filter(session=session).order_by("sequence").values_list("sequence", flat=True)
        activity = SessionActivity.objects.get(session=session)
        assert list(numbers) == list(range(1, len(numbers) + 1))
        assert (activity.last_sequence, activity.message_count) == (len(numbers), len(numbers))
