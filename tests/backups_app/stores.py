"""A store with a row of everything in it, and every value that three databases treat differently."""

import json
from typing import Any

import pyrage
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType

from backups_app.services.backups.tables import ARCHIVED
from config.shared.callers import SYSTEM
from config.shared.fields import MAX_TOKENS
from history_app.services.recording import record_many
from sessions_app.models import AuditChain, Event, StaffUser
from sessions_app.services.audit import audit_record
from tests import factories
from tests.conftest import NOW
from tests.history_app.nasty_values import VALUES

IDENTITY = pyrage.x25519.Identity.generate()


def fill_store(*, repeated: int = 3) -> None:
    """Put rows into every table that an archive holds."""
    project = factories.default_project()
    for _ in range(repeated):
        session = factories.make_session(user_id="ada", tags=["a", "订单"], metadata={"deep": [1.5, None, "x"]})
        task = factories.make_task(session=session)
        factories.make_message(session=session, content="line\none\u2028two 订单 \U0001f642")
        factories.make_tool_call(session=session, task=task, execution_time=1e-7)
        for make in _OF_SESSION:
            make(session=session)
        for make in _OTHERS:
            make()
    factories.make_session_deletion()
    _staff(project)
    _nasty(project.pk)


_OF_SESSION = (
    factories.make_llm_call, factories.make_error, factories.make_metric, factories.make_arrival,
    factories.make_session_state, factories.make_label, factories.make_residency,
)  # fmt: skip
_OTHERS = (
    factories.make_subtask, factories.make_workflow_run, factories.make_system_config, factories.make_config_version,
    factories.make_config_snapshot_entry, factories.make_provider_key, factories.make_knowledge_source,
    factories.make_document, factories.make_api_key, factories.make_kept_answer, factories.make_event,
    factories.make_external_deletion, factories.make_import_finding, factories.make_import_origin,
    factories.make_model_price, factories.make_job,
)  # fmt: skip


def _staff(project: Any) -> None:
    user = StaffUser.objects.create_user(username="grace", is_staff=True)
    user.projects.add(project)
    user.groups.add(Group.objects.get(name="Analyst"))
    user.user_permissions.add(Permission.objects.first())
    kind = ContentType.objects.get_for_model(StaffUser)
    LogEntry.objects.create(user=user, content_type=kind, object_id="1", object_repr="x", action_flag=1)
    audit_record(project_id=project.pk, caller=SYSTEM, action="x", target_type="x", target_id="é", now=NOW)
    tokens = {"prompt_tokens": MAX_TOKENS, "cost": "0.000000000000000000000001", "cost_status": "reported"}
    factories.make_token_usage(total_tokens=0, completion_tokens=0, **tokens)
    Event.objects.create(kind="session.created", subject="s", created_at=NOW.replace(microsecond=1))
    assert AuditChain.objects.exists()


def _nasty(project_id: int) -> None:
    """Record the whole corpus, each value in a session of its own; what is refused is not there."""
    for number, nasty in enumerate(VALUES.values()):
        # The largest text is 20 MB, which is refused at the door.
        if sum(map(len, nasty.records)) > 1_000_000:
            continue
        texts = [text.replace('"s-1"', f'"nasty-{number}"') for text in (nasty.python or nasty).records]
        records = []
        for text in texts:
            try:
                records.append(json.loads(text))
            except ValueError:
                continue
        record_many(project_id=project_id, records=records, now=NOW)


def counts() -> dict[str, int]:
    """Return how many rows each table of an archive has now."""
    return {label: apps.get_model(label)._default_manager.count() for label in ARCHIVED}
