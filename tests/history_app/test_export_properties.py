"""Any mix of records, exported and taken in elsewhere, is the same store; and an export of any size takes no memory."""

import re
import tracemalloc
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.shared.callers import SYSTEM
from history_app.api.export_formats import FORMS
from history_app.api.record_bodies import LineBody
from history_app.models import Message, Subtask, Task
from history_app.services.ingest import statements
from history_app.services.intake import records_take
from sessions_app.models import Session
from tests.factories import make_session
from tests.history_app.records import TIME, outcomes
from tests.history_app.test_services_ingest_properties import _emptied, _store, records

pytestmark = pytest.mark.django_db

PIECE = 10_000
ROWS = 2500
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(texts, json_values, max_size=3)
step = st.fixed_dictionaries({"description": texts, "actual_output": texts, "context": documents})
steps = st.lists(step, max_size=3)


@st.composite
def histories(draw):
    """Records of every kind with any contents, some of them tool calls of tasks, and numbers with gaps."""
    raws = draw(records())
    tasks = {}
    number = 0
    for raw in raws:
        raw["metadata"] = draw(st.just(raw["metadata"]) | documents)
        if raw["record_type"] == "message":
            raw["content"] = draw(st.none() | texts | st.lists(json_values, max_size=3))
            number += draw(st.integers(1, 3))
            raw["sequence"] = number
        elif raw["record_type"] == "tool_call":
            raw["tool_input"], raw["tool_output"] = draw(json_values), draw(json_values)
            if draw(st.booleans()):
                raw["task"] = draw(st.sampled_from(["task-1", "task-2"]))
                tasks[raw["session_id"], raw["task"]] = {"results": draw(json_values), "subtasks": draw(steps)}
    common = {"record_type": "task", "timestamp": TIME, "user_input": "Find it."}
    made = [{**common, "session_id": s, "record_id": r, **fields} for (s, r), fields in tasks.items()]
    return [*made, *raws]


def _lines(project, now):
    sessions = Session.objects.filter(project=project).order_by("session_id")
    return [b"".join(FORMS["jsonl"].pieces(session, SYSTEM, now)) for session in sessions]


def _work(project):
    tasks = Task.objects.filter(project=project).order_by("session__session_id", "record_id")
    own = ("record_id", "user_input", "status", "results", "metadata", "created_at", "updated_at")
    step = ("subtask_index", "description", "actual_output", "status", "context", "created_at", "updated_at")
    named = Subtask.objects.filter(task__project=project).order_by("task__record_id", "task__session__session_id")
    return [list(tasks.values_list(*own)), list(named.order_by("task__session__session_id", "task_id").values(*step))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_an_export_taken_in_elsewhere_is_the_same_store(db, now, raws):
    source, target = _emptied("source"), _emptied("target")
    assert set(outcomes(source, raws, now)) == {"new"}
    lines = _lines(source, now)
    for body in lines:
        read = LineBody(body[start : start + 100] for start in range(0, len(body), 100))
        intake = records_take(project_id=target.pk, batches=partial(read.batches, now), now=now)
        assert (intake.rejected, intake.duplicates) == ([], 0)
    assert _lines(target, now) == lines
    assert _without_tasks(_store(target)) == _without_tasks(_store(source))
    assert _work(target) == _work(source)


def _without_tasks(rows):
    """Return the rows without their tasks' numbers, which every store gives anew; the lines name the tasks."""
    return {(*place, re.sub(r'"task_id": \d+', "", text)): count for (*place, text), count in rows.items()}


@pytest.mark.parametrize("form", FORMS)
def test_an_export_of_any_size_takes_no_memory(project, now, form):
    session = make_session(session_id="s-1")
    columns = ("project_id", "session_id", "record_id", "timestamp", "role", "content", "sequence")
    rows = ((project.pk, session.pk, f"m-{n}", now, "user", f"{n} ".ljust(PIECE, "x"), n) for n in range(1, ROWS + 1))
    statements.insert_rows(Message, columns, list(rows))
    del rows
    size = sum(map(len, FORMS["jsonl"].pieces(session, SYSTEM, now)))
    tracemalloc.start()
    try:
        exported = sum(map(len, FORMS[form].pieces(session, SYSTEM, now)))
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size >= exported * 0.9 >= ROWS * PIECE * 0.9
    assert peak < 14 << 20
