"""Every rule that the database itself holds: each constraint refuses the row that breaks it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.apps import apps
from django.db import IntegrityError, models, transaction

from tests import factories
from tests.factories import NOW

EARLIER = NOW - timedelta(seconds=1)
TOO_MANY = 10**12 + 1
RUNNING = {"status": "running", "is_running": True, "lease_until": NOW, "finished_at": None}


def _twice(make, **shared):
    def breaks():
        fields = {name: value() if callable(value) else value for name, value in shared.items()}
        make(**fields)
        make(**fields)

    return breaks


def _once(make, **fields):
    return lambda: make(**fields)


def _activity(**fields):
    def breaks():
        activity = factories.make_session().activity
        for name, value in fields.items():
            setattr(activity, name, value)
        activity.save()

    return breaks


def _two_current_states():
    first = factories.make_session_state(version=1)
    factories.make_session_state(session=first.session, version=2, is_current=True)


BREAKS = {
    "activity_counts_within_sequence": _activity(last_sequence=1, message_count=2),
    "activity_fence_not_negative": _activity(last_fence=-1),
    "api_key_role_known": _once(factories.make_api_key, role="god"),
    "arrival_once": _twice(factories.make_arrival, session=factories.make_session, record_id="same"),
    "arrival_type_known": _once(factories.make_arrival, record_type="message"),
    "audit_number_once_per_project": _twice(factories.make_audit_entry, number=1),
    "audit_number_positive": _once(factories.make_audit_entry, number=0),
    "backup_finished_after_start": _once(factories.make_backup, started_at=NOW, finished_at=EARLIER),
    "backup_name_not_empty": _once(factories.make_backup, name=""),
    "backup_name_once": _twice(factories.make_backup, name="same"),
    "backup_running_once": _twice(factories.make_backup, **RUNNING),
    "backup_running_or_over": _once(factories.make_backup, status="running", is_running=None),
    "backup_sequence_once": _twice(factories.make_backup, sequence=7),
    "backup_sequence_positive": _once(factories.make_backup, sequence=0),
    "backup_status_known": _once(factories.make_backup, status="maybe"),
    "backup_trigger_known": _once(factories.make_backup, trigger="whim"),
    "backup_verified_with_time": _once(factories.make_backup, verified_at=None),
    "config_key_not_empty": _once(factories.make_system_config, key=""),
    "config_key_once_per_project": _twice(factories.make_system_config, key="same"),
    "config_snapshot_entry_once": _twice(
        factories.make_config_snapshot_entry,
        snapshot=factories.make_config_snapshot,
        config_version=factories.make_config_version,
    ),
    "config_snapshot_name_not_empty": _once(factories.make_config_snapshot, name=""),
    "config_snapshot_once": _twice(factories.make_config_snapshot, name="same"),
    "config_value_type_known": _once(factories.make_system_config, value_type="colour"),
    "config_version_number_positive": _once(factories.make_config_version, version=0),
    "config_version_once": _twice(factories.make_config_version, key="same", version=1),
    "config_version_positive": _once(factories.make_system_config, version=0),
    "document_key_not_empty": _once(factories.make_document, key=""),
    "document_key_once": _twice(factories.make_document, key="same"),
    "document_version_positive": _once(factories.make_document, version=0),
    "error_record_once": _twice(factories.make_error, session=factories.make_session, record_id="same"),
    "error_severity_known": _once(factories.make_error, severity="terrible"),
    "event_kind_not_empty": _once(factories.make_event, kind=""),
    "external_deletion_done_or_due": _once(factories.make_external_deletion, done_at=NOW, next_attempt_at=NOW),
    "finding_level_known": _once(factories.make_import_finding, level="shrug"),
    "import_finished_after_start": _once(factories.make_import_run, started_at=NOW, finished_at=EARLIER),
    "import_status_known": _once(factories.make_import_run, status="maybe"),
    "job_attempts_within_most": _once(factories.make_job, attempts=6, max_attempts=5),
    "job_due_or_finished": _once(factories.make_job, due_at=None),
    "job_kind_not_empty": _once(factories.make_job, kind=""),
    "job_slot_once_per_kind": _twice(factories.make_job, slot="same"),
    "job_state_known": _once(factories.make_job, state="asleep", due_at=None, finished_at=NOW),
    "kept_answer_once_per_key": _twice(factories.make_kept_answer, key="same"),
    "llm_call_record_once": _twice(factories.make_llm_call, session=factories.make_session, record_id="same"),
    "llm_call_request_once": _twice(factories.make_llm_call, session=factories.make_session, request_id="same"),
    "llm_call_response_once": _twice(
        factories.make_llm_call, session=factories.make_session, response_record_id="same"
    ),
    "llm_time_not_negative": _once(factories.make_llm_call, response_time=-1),
    "message_record_once": _twice(factories.make_message, session=factories.make_session, record_id="same"),
    "message_role_known": _once(factories.make_message, role="oracle"),
    "message_sequence_once": _twice(factories.make_message, session=factories.make_session, sequence=1),
    "message_sequence_positive": _once(factories.make_message, sequence=0),
    "metric_record_once": _twice(factories.make_metric, session=factories.make_session, record_id="same"),
    "metric_type_not_empty": _once(factories.make_metric, metric_type=""),
    "model_price_model_not_empty": _once(factories.make_model_price, model=""),
    "model_price_not_negative": _once(factories.make_model_price, input_mtok=-1),
    "model_price_once_per_moment": _twice(factories.make_model_price, model="same", valid_from=NOW),
    "model_usage_grain_known": _once(factories.make_model_usage, grain="x"),
    "model_usage_once_per_period": _twice(factories.make_model_usage, model="same"),
    "provider_key_once_per_user": _twice(
        factories.make_provider_key, user_config=factories.make_user_config, provider="same"
    ),
    "provider_not_empty": _once(factories.make_provider_key, provider=""),
    "residency_fence_positive": _once(factories.make_residency, fence=0),
    "residency_heartbeat_after_start": _once(factories.make_residency, resident_since=NOW, heartbeat_at=EARLIER),
    "restore_finished_after_start": _once(factories.make_restore, started_at=NOW, finished_at=EARLIER),
    "restore_running_once": _twice(factories.make_restore, **RUNNING),
    "restore_running_or_over": _once(factories.make_restore, is_running=True),
    "restore_status_known": _once(factories.make_restore, status="maybe"),
    "rollup_watermark_not_negative": _once(factories.make_rollup_state, watermark=-1),
    "run_finished_after_start": _once(factories.make_workflow_run, started_at=NOW, finished_at=EARLIER),
    "run_id_not_empty": _once(factories.make_workflow_run, run_id=""),
    "run_id_once_per_project": _twice(factories.make_workflow_run, run_id="same"),
    "run_status_known": _once(factories.make_workflow_run, status="maybe"),
    "run_time_not_negative": _once(factories.make_workflow_run, execution_time=-1),
    "search_block_begins_once": _twice(factories.make_search_block, first_id=1, last_id=1),
    "search_block_ends_after_begin": _once(factories.make_search_block, first_id=2, last_id=1),
    "search_watermark_not_negative": _once(factories.make_search_progress, watermark=-1),
    "session_id_not_empty": _once(factories.make_session, session_id=""),
    "session_id_once_per_project": _twice(factories.make_session, session_id="same"),
    "session_label_kind_known": _once(factories.make_label, kind="mood"),
    "session_label_once": _twice(factories.make_label, session=factories.make_session, value="same"),
    "session_status_known": _once(factories.make_session, status="asleep"),
    "session_version_positive": _once(factories.make_session, version=0),
    "source_name_not_empty": _once(factories.make_knowledge_source, source_name=""),
    "source_status_known": _once(factories.make_knowledge_source, status="lost"),
    "state_current_once_per_session": _two_current_states,
    "state_current_or_null": _once(factories.make_session_state, is_current=False),
    "state_version_once_per_session": _twice(factories.make_session_state, session=factories.make_session, version=1),
    "state_version_positive": _once(factories.make_session_state, version=0),
    "subtask_index_once_per_task": _twice(factories.make_subtask, task=factories.make_task, subtask_index=0),
    "subtask_status_known": _once(factories.make_subtask, status="asleep"),
    "task_record_once": _twice(factories.make_task, session=factories.make_session, record_id="same"),
    "task_status_known": _once(factories.make_task, status="asleep"),
    "tool_call_record_once": _twice(factories.make_tool_call, session=factories.make_session, record_id="same"),
    "tool_status_known": _once(factories.make_tool_call, status="maybe"),
    "tool_time_not_negative": _once(factories.make_tool_call, execution_time=-1),
    "usage_cost_has_status": _once(factories.make_token_usage, cost=Decimal("0.1"), cost_status="unknown"),
    "usage_cost_once": _twice(factories.make_token_usage, session=factories.make_session, cost_record_id="same"),
    "usage_record_once": _twice(factories.make_token_usage, session=factories.make_session, record_id="same"),
    "usage_tokens_within_bounds": _once(factories.make_token_usage, total_tokens=TOO_MANY),
    "user_config_id_not_empty": _once(factories.make_user_config, user_id=""),
    "user_config_once_per_project": _twice(factories.make_user_config, user_id="same"),
    "user_config_version_positive": _once(factories.make_user_config, version=0),
    "user_usage_grain_known": _once(factories.make_user_usage, grain="x"),
    "user_usage_once_per_period": _twice(factories.make_user_usage, user_id="same"),
    "workflow_id_not_empty": _once(factories.make_workflow, workflow_id=""),
    "workflow_id_once_per_project": _twice(factories.make_workflow, workflow_id="same"),
}
OURS = ("sessions_app", "history_app", "analytics_app", "backups_app")
# MariaDB names a broken CHECK the same way; a broken UNIQUE is named on PostgreSQL and MariaDB, SQLite names columns.
NAMED = {
    constraint.name: constraint
    for label in OURS
    for model in apps.get_app_config(label).get_models()
    for constraint in model._meta.constraints
}


def test_every_constraint_has_a_row_that_breaks_it():
    assert set(BREAKS) == set(NAMED)


@pytest.mark.parametrize("name", sorted(BREAKS))
def test_the_database_refuses_what_breaks(name, project):
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        BREAKS[name]()
    constraint = NAMED[name]
    unique_on_sqlite = "UNIQUE constraint failed" in str(refused.value)
    assert name in str(refused.value) or (unique_on_sqlite and isinstance(constraint, models.UniqueConstraint))


@pytest.mark.parametrize("tokens", [-1, TOO_MANY])
@pytest.mark.parametrize(
    "column", ["prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens"]
)
def test_token_counts_stay_within_bounds(column, tokens, project):
    with pytest.raises(IntegrityError, match="usage_tokens_within_bounds"), transaction.atomic():
        factories.make_token_usage(**{column: tokens})


@pytest.mark.parametrize(("first", "second"), [("ab", "AB"), ("x", "x "), ("é", "e\u0301")])
def test_ids_differ_byte_by_byte(first, second, project):
    factories.make_session(session_id=first)
    factories.make_session(session_id=second)
