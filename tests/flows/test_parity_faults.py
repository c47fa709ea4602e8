"""The faults of the systems that documents 001 to 004 describe, and the tests that those systems would fail.

`FAULTS` is the list; that every test in it exists is a test itself. Faults without a test elsewhere have theirs below.
"""

import ast
import builtins
import importlib
import pkgutil
from functools import cache
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

from config.shared.api.problems import STATUS_OF
from config.shared.errors import LedgerError
from history_app.models import Message, Subtask, Task
from history_app.services.tasks import task_create
from tests.factories import make_session

TESTS = Path(__file__).resolve().parents[1]
HERE = "flows/test_parity_faults"
FAULTS = {
    "001 RedisManager: errors are printed, and a broken store looks like an empty one": [
        "sessions_app/test_documents::test_while_redis_is_gone_documents_say_so_and_others_go_on",
    ],
    "001 FileStorageManager: a key with / or .. leaves the directory": [
        "sessions_app/test_documents::test_a_key_that_is_not_safe_everywhere_is_refused",
        "sessions_app/test_documents::test_file_names_are_safe_and_different",
    ],
    "001 FileStorageManager: a write that is cut off leaves half a file": [
        "sessions_app/test_documents::test_a_transaction_of_files_survives_a_kill_at_any_step",
    ],
    "001 DatabaseStorageManager: left empty": [
        "sessions_app/test_documents::test_a_value_comes_back_as_it_went_in",
        "sessions_app/test_documents::test_a_package_brings_a_backend_by_entry_point",
    ],
    "001 SessionManager: cleanup_expired left empty": [
        "sessions_app/test_cleanup::test_what_is_due_is_marked_in_batches_and_nothing_else",
        "sessions_app/test_cleanup::test_the_command_and_the_jobs_do_the_same",
    ],
    "001 ConversationManager: read, change and write loses messages under concurrency": [
        "flows/test_web_under_fire::test_writers_of_one_session_get_every_number_once_and_in_their_order",
        "flows/test_web_under_fire::test_control_writers_that_take_the_greatest_number_and_one_get_some_twice",
    ],
    "001 ConversationManager: messages before the last hundred are dropped": [
        f"{HERE}::test_the_window_is_a_hundred_messages_and_all_are_kept",
    ],
    "001 TokenAccumulator: read, change and write loses uses; the sums differ from the records": [
        "flows/test_one_user_many_writers::test_no_preference_no_key_and_no_usage_is_lost",
        "analytics_app/test_rollups::test_every_figure_is_that_of_the_facts_whatever_happens_to_them",
        "analytics_app/test_rollups::test_two_workers_do_not_add_the_same_uses_twice",
    ],
    "001 TokenAccumulator: the helper of the months is missing": [
        "analytics_app/test_api_tokens::test_the_months_end_with_this_one",
    ],
    "001 TokenAccumulator: the ranking of users left empty": [
        "analytics_app/test_api_tokens::test_the_ranking_names_the_users_with_the_most_tokens",
    ],
    "001 TokenAccumulator: use by model and number of users of the dashboard never counted": [
        "analytics_app/test_api_tokens::test_the_dashboard_sets_today_beside_yesterday",
    ],
    "001 ConfigPersistenceManager: the list left empty, so that a backup of all settings holds none": [
        "sessions_app/test_api_configuration::test_every_project_starts_with_the_ten_defaults",
        "sessions_app/test_config_history::test_a_snapshot_brings_all_settings_back_in_one_step",
    ],
    "001 BackupManager: collect_all_data left empty": [
        "backups_app/test_backup_create::test_everything_is_in_it",
        "backups_app/test_backup_tables::test_every_model_is_named_once",
    ],
    "001 BackupManager: restore_data left empty": [
        "backups_app/test_restore::test_what_was_lost_comes_back_and_what_came_since_is_gone",
        "backups_app/test_restore_elsewhere::test_it_comes_back_in_a_database_of_another_kind_and_from_there",
    ],
    "001 several instances: two of them write over each other, and each does the scheduled work": [
        "sessions_app/test_state_race::test_one_of_two_agents_wins_each_round",
        "config/test_schedule_runs::test_three_beats_that_restart_all_the_time_run_each_slot_once",
    ],
    "002 TaskHistoryManager: a task whose subtasks fail stays without them": [
        f"{HERE}::test_a_task_whose_subtask_the_database_refuses_is_not_there",
        "history_app/test_api_tasks::test_a_task_with_a_bad_subtask_is_not_created",
    ],
    "002 ConfigManager: a restart overwrites what was set": [
        "sessions_app/test_config_history::test_a_restart_neither_overwrites_a_default_nor_brings_a_removed_one_back",
    ],
    "002 UserManager: read, change and write loses preferences and usage": [
        "flows/test_one_user_many_writers::test_no_preference_no_key_and_no_usage_is_lost",
        "flows/test_one_user_many_writers::test_read_change_and_write_loses_some",
    ],
    "002 UserManager: keys in clear text": [
        "sessions_app/test_api_configuration::test_provider_keys_are_shown_as_masks_only",
        "backups_app/test_backup_create::test_no_secret_stands_in_clear",
    ],
    "002 settings: connection_timeout, query_timeout and max_backups are written down and not held to": [
        "config/test_preparation::test_migrations_take_the_time_they_need_and_the_limit_comes_back",
        "backups_app/test_pruning::test_months_of_failures_break_no_promise",
    ],
    "002 error classes: they shadow those of Python": [
        f"{HERE}::test_no_error_has_the_name_of_one_of_pythons",
        f"{HERE}::test_every_error_of_a_service_has_its_status",
    ],
    "003 clean-up: data must stay, and the agent must come back": [
        "sessions_app/test_cleanup::test_the_api_releases_and_marks_and_touches_no_data",
        "flows/test_coming_back::test_an_agent_goes_and_comes_back",
    ],
    "003 full delete: a RAGFlow that is away leaves its session behind": [
        "sessions_app/test_deletion::test_sessions_in_ragflow_are_deleted_with_theirs_here",
        "sessions_app/test_deletion::test_what_fails_is_tried_again_until_it_is_done",
        "sessions_app/test_deletion::test_a_server_that_is_away_is_tried_again",
    ],
    "004 LegacySessionStoreAdapter: asyncio.run inside a running loop": [
        "sessions_app/test_session_store::test_the_sync_face_below_a_running_loop",
        "sessions_app/test_documents::test_the_interface_is_async_and_its_sync_face_works_where_a_loop_runs",
    ],
    "004 adapter: get_session and session_exists swallow every error": [
        "sessions_app/test_session_store::test_a_failing_database_is_no_empty_answer",
    ],
    "004 adapter: batches that fail half-way": [
        "sessions_app/test_session_store::test_what_cannot_be_saved_is_told_and_saves_nothing",
        "sessions_app/test_session_store::test_a_batch_is_deleted_whole_or_not_at_all",
        "sessions_app/test_api_session_batches::test_one_bad_session_saves_none",
    ],
    "004 adapter: an update replaces the metadata with what it adds": [
        "sessions_app/test_session_store::test_an_update_merges",
    ],
    "004 store: sessions can only be listed all at once": [
        "sessions_app/test_session_store::test_lists_are_filtered_and_limited",
    ],
}


@cache
def _names(module):
    tree = ast.parse((TESTS / f"{module}.py").read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_has_a_test(fault):
    named = [name.split("::") for name in FAULTS[fault]]
    assert [name for module, name in named if name not in _names(module)] == []


@pytest.mark.django_db
def test_the_window_is_a_hundred_messages_and_all_are_kept(owner):
    said = [{"role": "user", "content": f"message {number}"} for number in range(1, 251)]
    owner.post("/api/sessions/", {"session_id": "long"})
    for message in said[:150]:
        assert owner.post("/api/sessions/long/messages/", message).status_code == 201
    assert owner.post("/api/sessions/long/messages/", said[150:]).status_code == 201
    bundle = owner.get("/api/sessions/long/restore/").json()
    assert [row["sequence"] for row in bundle["messages"]] == list(range(151, 251))
    assert owner.get("/api/sessions/long/summary/").json()["message_count"] == 250
    rows = owner.get("/api/sessions/long/messages/", {"page_size": 1000}).json()["results"]
    assert [row["content"] for row in rows] == [message["content"] for message in said]
    assert Message.objects.count() == 250


@pytest.mark.django_db
def test_a_task_whose_subtask_the_database_refuses_is_not_there(project, now):
    # So many that they are written in several statements, of which the first one succeeds.
    subtasks = [{"description": "step"} for _ in range(120)] + [{"description": "step", "status": "none such"}]
    with pytest.raises(IntegrityError), transaction.atomic():
        task_create(session=make_session(), record_id="t", user_input="do it", subtasks=subtasks, now=now)
    assert (Task.objects.count(), Subtask.objects.count()) == (0, 0)


def _errors():
    """Return every class of errors that the product defines."""
    for package in ("config", "sessions_app", "history_app", "analytics_app", "backups_app"):
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            if ".migrations" in found.name or found.name.endswith(("__main__", "wsgi")):
                continue
            for each in vars(importlib.import_module(found.name)).values():
                if isinstance(each, type) and issubclass(each, Exception) and each.__module__ == found.name:
                    yield each


def test_no_error_has_the_name_of_one_of_pythons():
    found = list(_errors())
    assert len(found) > 10
    assert [error for error in found if hasattr(builtins, error.__name__)] == []


def test_every_error_of_a_service_has_its_status():
    errors = [error for error in _errors() if issubclass(error, LedgerError) and error is not LedgerError]
    without = {error.__name__ for error in errors if not issubclass(error, tuple(STATUS_OF))}
    # The first two are answered with what was refused of each record, by the view that takes records; the last one ends
    # an import, which no request waits for.
    assert without == {"BatchRefused", "DeliveryRefused", "ReaderFailed"}
