"""Plain functions that make rows for tests, each the smallest valid one unless told otherwise."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from analytics_app.models import ModelPrice, ModelUsage, RollupState, UserUsage
from backups_app.models import Backup, ImportFinding, ImportOrigin, ImportRun, Restore
from history_app.models import (
    Arrival,
    ErrorRecord,
    LLMCall,
    Message,
    Metric,
    SearchBlock,
    SearchProgress,
    Subtask,
    Task,
    TokenUsage,
    ToolCall,
)
from sessions_app.models import (
    AgentResidency,
    ApiKey,
    AuditEntry,
    ConfigSnapshot,
    ConfigSnapshotEntry,
    ConfigVersion,
    Document,
    Event,
    ExternalDeletion,
    Job,
    KeptAnswer,
    KnowledgeSource,
    Project,
    ProviderKey,
    Session,
    SessionActivity,
    SessionDeletion,
    SessionLabel,
    SessionState,
    SystemConfig,
    UserConfig,
    Workflow,
    WorkflowRun,
)

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)

_numbers = count(1)


def _number() -> int:
    return next(_numbers)


def make_project(**fields: Any) -> Project:
    """Make a project with a slug of its own."""
    slug = f"project-{_number()}"
    return Project.objects.create(**{"slug": slug, "name": slug, **fields})


def default_project() -> Project:
    """Return the project that every installation has."""
    return Project.objects.get_or_create(slug="default", defaults={"name": "Default"})[0]


def make_session(**fields: Any) -> Session:
    """Make a session with its activity row."""
    fields.setdefault("project", default_project() if "project_id" not in fields else None)
    if fields["project"] is None:
        del fields["project"]
    session = Session.objects.create(**{"session_id": f"session-{_number()}", "created_at": NOW, **fields})
    SessionActivity.objects.create(session=session, last_activity_at=session.created_at)
    return session


def _fact(table: Any, prefix: str, fields: dict[str, Any], /, **defaults: Any) -> Any:
    session = fields.pop("session", None) or make_session()
    given = {"project_id": session.project_id, "record_id": f"{prefix}-{_number()}", "timestamp": NOW}
    return table.objects.create(session=session, **{**given, **defaults, **fields})


def make_message(**fields: Any) -> Message:
    """Make the next message of a session."""
    session = fields.pop("session", None) or make_session()
    activity = session.activity
    activity.last_sequence += 1
    activity.message_count += 1
    activity.save()
    defaults = {"role": "user", "content": "Where is my order?", "sequence": activity.last_sequence}
    return _fact(Message, "msg", {"session": session, **fields}, **defaults)


def make_tool_call(**fields: Any) -> ToolCall:
    """Make a finished call of a tool."""
    defaults = {"tool_name": "lookup_order", "tool_input": {"order": 7}, "tool_output": {"state": "sent"}}
    return _fact(ToolCall, "tool", fields, status="success", execution_time=0.25, **defaults)


def make_llm_call(**fields: Any) -> LLMCall:
    """Make an answered model call."""
    request = f"req-{_number()}"
    defaults = {"model": "gpt-4o", "provider": "openai", "request_id": request, "record_id": request}
    return _fact(LLMCall, "req", fields, **defaults, response={"content": "On its way."}, response_time=1.5)


def make_token_usage(**fields: Any) -> TokenUsage:
    """Make a row of token usage without a cost."""
    tokens = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return _fact(TokenUsage, "token", fields, model="gpt-4o", **tokens)


def make_error(**fields: Any) -> ErrorRecord:
    """Make a reported error."""
    return _fact(ErrorRecord, "err", fields, error_type="TimeoutError", error_message="The carrier did not answer.")


def make_metric(**fields: Any) -> Metric:
    """Make a measured number."""
    return _fact(Metric, "metric", fields, metric_type="throughput", metric_value=12.5)


def make_task(**fields: Any) -> Task:
    """Make a task that waits."""
    session = fields.pop("session", None) or make_session()
    defaults = {"project_id": session.project_id, "record_id": f"task-{_number()}", "user_input": "Find the parcel."}
    return Task.objects.create(session=session, **{**defaults, "created_at": NOW, **fields})


def make_subtask(**fields: Any) -> Subtask:
    """Make a step of a task."""
    task = fields.pop("task", None) or make_task()
    return Subtask.objects.create(
        task=task, **{"subtask_index": _number(), "description": "Ask the carrier.", **fields}
    )


def make_session_state(**fields: Any) -> SessionState:
    """Make a version of a session's state; it is the current one from now on."""
    session = fields.pop("session", None) or make_session()
    if "is_current" not in fields:
        SessionState.objects.filter(session=session).update(is_current=None)
    return SessionState.objects.create(session=session, **{"current_step": "think", "is_current": True, **fields})


def make_label(**fields: Any) -> SessionLabel:
    """Make a tag of a session."""
    session = fields.pop("session", None) or make_session()
    return SessionLabel.objects.create(session=session, **{"kind": "tag", "value": f"tag-{_number()}", **fields})


def make_residency(**fields: Any) -> AgentResidency:
    """Make an agent that is in memory."""
    session = fields.pop("session", None) or make_session()
    defaults = {"agent_id": "agent-7", "host": "worker-1", "fence": 1, "resident_since": NOW, "heartbeat_at": NOW}
    return AgentResidency.objects.create(session=session, project=session.project, **{**defaults, **fields})


def _owned(table: Any, fields: dict[str, Any], /, **defaults: Any) -> Any:
    project = fields.pop("project", None) or default_project()
    return table.objects.create(project=project, **{**defaults, **fields})


def make_workflow(**fields: Any) -> Workflow:
    """Make a workflow of two nodes."""
    name = f"workflow-{_number()}"
    nodes = [{"id": "think", "type": "llm"}, {"id": "act", "type": "tool"}]
    return _owned(Workflow, fields, workflow_id=name, name=name, nodes=nodes, edges=[{"from": "think", "to": "act"}])


def make_workflow_run(**fields: Any) -> WorkflowRun:
    """Make a run of a workflow."""
    workflow = fields.pop("workflow", None) or make_workflow()
    defaults = {"project_id": workflow.project_id, "run_id": f"run-{_number()}", "started_at": NOW}
    return WorkflowRun.objects.create(workflow=workflow, **{**defaults, **fields})


def make_system_config(**fields: Any) -> SystemConfig:
    """Make a setting."""
    return _owned(SystemConfig, fields, key=f"setting-{_number()}", value="on")


def make_config_version(**fields: Any) -> ConfigVersion:
    """Make one change of a setting."""
    defaults = {"key": f"key-{_number()}", "version": 1, "value_type": "text", "value": "x"}
    return _owned(ConfigVersion, fields, **defaults)


def make_config_snapshot(**fields: Any) -> ConfigSnapshot:
    """Make an empty snapshot."""
    return _owned(ConfigSnapshot, fields, name=f"snapshot-{_number()}")


def make_config_snapshot_entry(**fields: Any) -> ConfigSnapshotEntry:
    """Make one setting of a snapshot."""
    fields = {name: fields.get(name) or make() for name, make in _ENTRY_PARTS.items()}
    return ConfigSnapshotEntry.objects.create(**fields)


_ENTRY_PARTS = {"snapshot": make_config_snapshot, "config_version": make_config_version}


def make_user_config(**fields: Any) -> UserConfig:
    """Make the configuration of an end user."""
    return _owned(UserConfig, fields, user_id=f"user-{_number()}", preferences={"language": "zh"})


def make_provider_key(*, secret: str = "sk-test-0123456789abcdefWXYZ", **fields: Any) -> ProviderKey:
    """Make a sealed provider key."""
    config = fields.pop("user_config", None) or make_user_config()
    key = ProviderKey(user_config=config, **{"provider": f"provider-{_number()}", **fields})
    key.seal(secret)
    key.save()
    return key


def make_knowledge_source(**fields: Any) -> KnowledgeSource:
    """Make a knowledge source."""
    return _owned(KnowledgeSource, fields, source_name="Handbook", source_path="docs/handbook.md", source_type="file")


def make_document(**fields: Any) -> Document:
    """Make a document."""
    return _owned(Document, fields, namespace="notes", key=f"note-{_number()}", value={"text": "hello"})


def make_api_key(**fields: Any) -> ApiKey:
    """Make the row of an API key; nobody knows the key itself."""
    number = _number()
    return _owned(ApiKey, fields, name=f"key {number}", prefix=f"p{number}", key_hash="0" * 64)


def make_kept_answer(**fields: Any) -> KeptAnswer:
    """Make the row of an Idempotency-Key."""
    return _owned(KeptAnswer, fields, key=f"key-{_number()}", fingerprint="0" * 64, status=201)


def make_job(**fields: Any) -> Job:
    """Make a job that waits."""
    return _owned(Job, fields, kind="jobs.prune", due_at=NOW, created_at=NOW)


def make_event(**fields: Any) -> Event:
    """Make an event that nobody was told of."""
    return _owned(Event, fields, kind="session.created", subject=f"session-{_number()}", created_at=NOW)


def make_audit_entry(**fields: Any) -> AuditEntry:
    """Make an audit entry outside the chain, for pages that show entries."""
    defaults = {"number": 10_000 + _number(), "actor_kind": "staff", "actor": "ada", "action": "session.delete"}
    return _owned(AuditEntry, fields, **defaults, target_type="session", target_id="s-1", at=NOW, entry_hash="0" * 64)


def make_external_deletion(**fields: Any) -> ExternalDeletion:
    """Make a session of another system that is to be deleted there."""
    return _owned(ExternalDeletion, fields, connector="ragflow", external_id="r-1", session_id="s-1", created_at=NOW)


def make_session_deletion(**fields: Any) -> SessionDeletion:
    """Make a deleted session whose rows are still there."""
    session = fields.pop("session", None) or make_session()
    return SessionDeletion.objects.create(session=session, former_id=session.session_id, **fields)


def make_backup(**fields: Any) -> Backup:
    """Make the row of a verified backup; no archive is behind it."""
    name, number = f"backup-{_number()}", _number()
    ended = {"finished_at": NOW, "verified_at": NOW, "last_check_at": NOW, "status": "verified"}
    return Backup.objects.create(
        **{"name": name, "location": name, "sequence": number, "started_at": NOW, **ended, **fields}
    )


def make_restore(**fields: Any) -> Restore:
    """Make the row of a finished restore."""
    defaults = {"backup_name": "20260314-092653-abcd", "target": "this store", "status": "completed"}
    return Restore.objects.create(**{**defaults, "started_at": NOW, "finished_at": NOW, **fields})


def make_import_run(**fields: Any) -> ImportRun:
    """Make a finished import."""
    return _owned(ImportRun, fields, source="old-store", source_format="history_store", status="completed")


def make_import_finding(**fields: Any) -> ImportFinding:
    """Make a finding of an import."""
    run = fields.pop("run", None) or make_import_run()
    defaults = {"level": "rejected", "kind": "message", "code": "invalid_json", "detail": "This line is no JSON."}
    return ImportFinding.objects.create(run=run, **{**defaults, "path": "history/x.jsonl", "line": 3, **fields})


def make_import_origin(**fields: Any) -> ImportOrigin:
    """Make the note where two messages of a session come from."""
    session = fields.pop("session", None) or make_session()
    run = fields.pop("run", None) or make_import_run(project=session.project)
    records = {"message": [["message_1", 1], ["message_2", 2]]}
    defaults = {"path": "history/202610/s1.jsonl", "records": records}
    return ImportOrigin.objects.create(run=run, session=session, **{**defaults, **fields})


def make_arrival(**fields: Any) -> Arrival:
    """Make the note that a cost has arrived."""
    session = fields.pop("session", None) or make_session()
    return Arrival.objects.create(
        session=session, **{"record_type": "cost", "record_id": f"cost-{_number()}", **fields}
    )


def make_search_block(**fields: Any) -> SearchBlock:
    """Make a block of the search index that holds nothing."""
    number = _number()
    defaults = {"first_id": number, "last_id": number, "tier": 0, "pages": 1, "stretches": b""}
    return SearchBlock.objects.create(**{"record_type": "message", **defaults, **fields})


def make_search_progress(**fields: Any) -> SearchProgress:
    """Make the row that says how far a table is indexed."""
    return SearchProgress.objects.create(**{"record_type": "message", **fields})


def make_model_price(**fields: Any) -> ModelPrice:
    """Make a project's own price of a model."""
    return _owned(ModelPrice, fields, model=f"model-{_number()}", input_mtok=1, output_mtok=2)


def make_model_usage(**fields: Any) -> ModelUsage:
    """Make an empty hour of a model."""
    return _owned(ModelUsage, fields, start=NOW, grain="h", cost=0, model=f"model-{_number()}")


def make_user_usage(**fields: Any) -> UserUsage:
    """Make an empty hour of a user."""
    return _owned(UserUsage, fields, start=NOW, grain="h", cost=0, user_id=f"user-{_number()}")


def make_rollup_state(**fields: Any) -> RollupState:
    """Make the row that says how far a roll-up has come."""
    return RollupState.objects.create(**{"name": f"state-{_number()}", **fields})
