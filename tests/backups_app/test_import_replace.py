"""What is stored under an id with another content is kept, replaced, or joined by the other one: of every kind."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backups_app.models import ImportFinding, ImportOrigin
from backups_app.services.import_undo import import_undo
from backups_app.services.legacy_import.conflicts import OnConflict
from backups_app.services.legacy_import.options import ImportOptions
from config.shared.callers import Caller
from history_app.models import Subtask, Task, TokenUsage, ToolCall
from sessions_app.models import AuditEntry, KnowledgeSource, ProviderKey, UserConfig
from tests.analytics_app.test_rollups import assert_right, roll_up
from tests.samples import agent_flow
from tests.samples.history_store import record, write_history

KEEP, REPLACE, BOTH = OnConflict.KEEP, OnConflict.REPLACE, OnConflict.BOTH
USAGE = {"model": "in-house", "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
MORE = {"model": "in-house", "prompt_tokens": 200, "completion_tokens": 50, "total_tokens": 250}


@pytest.fixture
def choose(bring_in):
    def run(path, on_conflict=KEEP):
        return bring_in(path, options=ImportOptions(on_conflict=on_conflict))

    return run


@pytest.fixture
def undo(project, now):
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)
    return lambda report: import_undo(
        project_id=project.pk, run_id=report.run_id, now=now, caller=caller, dry_run=False
    )


def outcome(report, kind):
    """How many conflicted, were replaced, and were kept beside."""
    counts = report.kinds[kind]
    assert report.balances
    return counts.conflicting, counts.replaced, counts.both


def calls(folder, *, use=USAGE, amount="0.25", of=None, beside=()):
    """A store with one use of tokens and the cost of it (or `of` other tokens)."""
    cost = record("cost", "s1", 1, record_id="c1", total_cost=amount, **(of or use))
    usage = [] if use is None else [record("token_usage", "s1", 1, record_id="u1", source="api_call", **use)]
    write_history(folder, "s1", [*usage, cost, *beside])
    return folder


def rows():
    """The uses of tokens as they count: what each is called, its tokens, its cost, and which cost record that is."""
    columns = ("record_id", "total_tokens", "cost", "cost_record_id")
    return sorted(TokenUsage.objects.values_list(*columns))


@pytest.mark.parametrize(("choice", "amount", "found"), [
    (KEEP, "0.25", (1, 0, 0)), (REPLACE, "0.75", (1, 1, 0)), (BOTH, "0.25", (1, 0, 1)),
])  # fmt: skip
def test_a_cost_that_stands_with_its_use(choose, tmp_path, choice, amount, found):
    choose(calls(tmp_path / "one"))
    report = choose(calls(tmp_path / "other", amount="0.75"), choice)
    assert outcome(report, "cost") == found
    first = rows()[0] if choice != BOTH else next(row for row in rows() if row[0] == "u1")
    assert first == ("u1", 150, Decimal(amount), "c1")
    assert len(rows()) == (2 if choice == BOTH else 1)
    again = choose(tmp_path / "other", choice)
    assert outcome(again, "cost") == ((1, 0, 0) if choice == KEEP else (0, 0, 0))


def test_a_cost_that_is_of_another_use_now_leaves_the_former_one(choose, tmp_path):
    other = record("token_usage", "s1", 1, record_id="u2", source="api_call", **MORE)
    choose(calls(tmp_path / "one", beside=[other]))
    assert rows() == [("u1", 150, Decimal("0.25"), "c1"), ("u2", 250, None, None)]
    report = choose(calls(tmp_path / "other", of=MORE, amount="0.5", beside=[other]), REPLACE)
    assert outcome(report, "cost") == (1, 1, 0)
    assert rows() == [("u1", 150, None, None), ("u2", 250, Decimal("0.5"), "c1")]
    assert report.sums.cost == Decimal("0.5")


def test_a_cost_of_its_own_stays_one_and_finds_its_use_where_there_is_one(choose, tmp_path):
    choose(calls(tmp_path / "one", use=None, of=USAGE))
    assert rows() == [("cost:c1", 150, Decimal("0.25"), "c1")]
    choose(calls(tmp_path / "other", use=None, of=USAGE, amount="0.5"), REPLACE)
    assert rows() == [("cost:c1", 150, Decimal("0.5"), "c1")]
    used = record("token_usage", "s1", 1, record_id="u2", source="api_call", **MORE)
    choose(calls(tmp_path / "third", use=None, of=MORE, amount="1", beside=[used]), REPLACE)
    assert rows() == [("u2", 250, Decimal(1), "c1")]
    assert outcome(choose(tmp_path / "third", REPLACE), "cost") == (0, 0, 0)


def test_a_use_that_is_replaced_with_its_cost_is_one_row_again(choose, tmp_path):
    choose(calls(tmp_path / "one"))
    report = choose(calls(tmp_path / "other", use=MORE, amount="0.5"), REPLACE)
    assert (outcome(report, "token_usage"), outcome(report, "cost")) == ((1, 1, 0), (1, 1, 0))
    assert rows() == [("u1", 250, Decimal("0.5"), "c1")]
    assert outcome(choose(tmp_path / "other", REPLACE), "token_usage") == (0, 0, 0)


def test_a_cost_stays_what_it_was_when_only_its_use_is_replaced(choose, tmp_path):
    choose(calls(tmp_path / "one"))
    write_history(tmp_path / "other", "s1", [record("token_usage", "s1", 1, record_id="u1", source="api_call", **MORE)])
    choose(tmp_path / "other", REPLACE)
    assert rows() == [("cost:c1", 150, Decimal("0.25"), "c1"), ("u1", 250, None, None)]
    assert outcome(choose(tmp_path / "one"), "cost") == (0, 0, 0)


def test_sums_and_roll_ups_are_right_at_once(choose, tmp_path):
    day = [datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC)]
    choose(calls(tmp_path / "one"))
    roll_up()
    choose(calls(tmp_path / "other", use=MORE, amount="0.5"), REPLACE)
    assert_right(day)
    roll_up()
    assert_right(day)


def test_what_was_replaced_is_audited_told_and_not_taken_back(choose, undo, tmp_path):
    first = choose(calls(tmp_path / "one"))
    second = choose(calls(tmp_path / "other", amount="0.75"), REPLACE)
    raw = json.loads(ImportFinding.objects.get(run=second.run_id, code="replaced").raw)
    assert (raw["cost"], raw["cost_record_id"]) == ("0.25", "c1")
    assert AuditEntry.objects.filter(action="token_usage.update").count() == 1
    refused = undo(second)
    assert not refused.done
    assert refused.obstacles == ["session 's1': replaced cost 'c1' cannot be taken back"]
    assert any("changed since" in obstacle for obstacle in undo(first).obstacles)


def tasks(folder, word, steps=("a", "b")):
    """A store with one task, its steps and a call of a tool."""
    agent_flow.write_database(folder / "agent_flow.db", {
        "task_history": [agent_flow.task(1, user_input=word, results=json.dumps({"said": word}))],
        "subtasks": [agent_flow.step(n, 1, n, description=text, actual_output=word) for n, text in enumerate(steps)],
        "tool_logs": [agent_flow.log(1, 1)],
    })  # fmt: skip
    return folder


@pytest.mark.parametrize(("choice", "found"), [(KEEP, (1, 0, 0)), (REPLACE, (1, 1, 0)), (BOTH, (1, 0, 1))])
def test_a_task_with_its_steps(choose, tmp_path, choice, found):
    choose(tasks(tmp_path / "one", "one", ("a", "b", "c")))
    report = choose(tasks(tmp_path / "other", "other", ("a", "z")), choice)
    assert outcome(report, "task") == found
    assert [counts * 2 for counts in found] == list(outcome(report, "subtask"))
    task = Task.objects.get(record_id="task_history:1")
    word, steps = ("other", ["a", "z"]) if choice == REPLACE else ("one", ["a", "b", "c"])
    assert (task.user_input, task.results) == (word, {"said": word})
    assert [step.description for step in task.subtasks.order_by("subtask_index")] == steps
    assert {step.actual_output for step in task.subtasks.all()} == {word}
    assert Task.objects.count() == (2 if choice == BOTH else 1)
    assert ToolCall.objects.get().task_id == task.pk
    assert outcome(choose(tmp_path / "other", choice), "task") == ((1, 0, 0) if choice == KEEP else (0, 0, 0))


def test_a_task_that_was_replaced_is_audited_and_not_taken_back(choose, undo, tmp_path):
    first, second = choose(tasks(tmp_path / "one", "one")), choose(tasks(tmp_path / "other", "other"), REPLACE)
    before = json.loads(ImportFinding.objects.get(run=second.run_id, code="replaced").raw)
    assert (before["user_input"], [step["description"] for step in before["subtasks"]]) == ("one", ["a", "b"])
    assert AuditEntry.objects.filter(action="task.update", target_id=str(Task.objects.get().pk)).count() == 1
    assert any("replaced task" in obstacle for obstacle in undo(second).obstacles)
    assert any("was changed since" in obstacle for obstacle in undo(first).obstacles)
    assert Subtask.objects.count() == 2


def people(folder, word, secret):
    """A store with one user who has a key, and a source of knowledge."""
    agent_flow.write_database(folder / "agent_flow.db", {
        "user_config": [agent_flow.user("ada", preferences=json.dumps({"theme": word}),
                                        api_keys=json.dumps({"openai": secret}))],
        "knowledge_sources": [agent_flow.source(1, metadata=json.dumps({"note": word}))],
    })  # fmt: skip
    return folder


ONE, OTHER = "sk-FAKE0123456789abcdef0001", "sk-FAKE0123456789abcdef0002"


@pytest.mark.parametrize(("choice", "found"), [(KEEP, (1, 0, 0)), (REPLACE, (1, 1, 0)), (BOTH, (1, 0, 0))])
def test_a_user_and_the_key_that_the_user_brought(choose, tmp_path, choice, found):
    choose(people(tmp_path / "one", "one", ONE))
    report = choose(people(tmp_path / "other", "other", OTHER), choice)
    assert outcome(report, "user_config") == outcome(report, "provider_key") == found
    user = UserConfig.objects.get()
    assert user.preferences == {"theme": "other" if choice == REPLACE else "one"}
    assert ProviderKey.objects.get().reveal() == (OTHER if choice == REPLACE else ONE)
    told = " ".join(ImportFinding.objects.filter(run=report.run_id).values_list("detail", flat=True))
    assert ("a user has one configuration, and of a provider one key" in told) == (choice == BOTH)
    everything = " ".join(map(str, ImportFinding.objects.values_list("detail", "raw")))
    assert ONE not in everything
    assert OTHER not in everything
    again = outcome(choose(tmp_path / "other", choice), "user_config")
    assert again == ((0, 0, 0) if choice == REPLACE else (1, 0, 0))


@pytest.mark.parametrize(("choice", "notes", "found"), [
    (KEEP, ["one"], (1, 0, 0)), (REPLACE, ["other"], (1, 1, 0)), (BOTH, ["one", "other"], (1, 0, 1)),
])  # fmt: skip
def test_a_source_of_knowledge(choose, tmp_path, choice, notes, found):
    choose(people(tmp_path / "one", "one", ONE))
    report = choose(people(tmp_path / "other", "other", ONE), choice)
    assert outcome(report, "knowledge_source") == found
    assert [source.metadata["note"] for source in KnowledgeSource.objects.order_by("pk")] == notes
    again = outcome(choose(tmp_path / "other", choice), "knowledge_source")
    assert again == ((1, 0, 0) if choice == KEEP else (0, 0, 0))
    assert KnowledgeSource.objects.count() == len(notes)


def test_users_keys_and_sources_that_were_replaced_are_audited_and_not_taken_back(choose, undo, tmp_path):
    choose(people(tmp_path / "one", "one", ONE))
    report = choose(people(tmp_path / "other", "other", OTHER), REPLACE)
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert actions >= {"user_config.update", "provider_key.set", "knowledge_source.update"}
    refused = undo(report)
    assert not refused.done
    assert {told.partition(" ")[0] for told in refused.obstacles} == {
        "replaced_user_config", "replaced_provider_key", "replaced_knowledge_source",
    }  # fmt: skip
    kinds = {kind for origin in ImportOrigin.objects.filter(run=report.run_id) for kind in origin.records}
    assert kinds == {"replaced_user_config", "replaced_provider_key", "replaced_knowledge_source"}
