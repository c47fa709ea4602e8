"""What the tests of parts ask for, and what they compare: things by their own ids, and every other row as it was."""

import hashlib
from typing import Any

from django.apps import apps
from django.db import connection

from backups_app.archive.rows import lines_made
from backups_app.models import ImportOrigin
from backups_app.services.backups.parts import backup_restore_part, choice_of
from backups_app.services.backups.parts.belongings import owned
from backups_app.services.backups.scratch_store import rows_of
from backups_app.services.backups.snapshots import snapshot
from backups_app.services.backups.tables import archived_models, column_of, columns_of
from config.shared.callers import SYSTEM
from sessions_app.models import Session, WorkflowRun
from tests import factories
from tests.backups_app.restores import TOLD
from tests.conftest import NOW

# Keys are others in another store, and what they refer to is compared by itself.
_OWN = ("version", "last_fence", "sealed")


def restore_part(source: Any, *only: str, **options: Any) -> Any:
    """Restore a part of a backup or of a folder."""
    asked = {name: options.pop(name) for name in ("on_conflict", "from_project", "into") if name in options}
    choice = choice_of(only=only, **asked)
    given = {"source": source, "choice": choice, "requested_by": "ada", "caller": SYSTEM, "now": NOW}
    return backup_restore_part(**{**given, **options})


def rows() -> dict[str, dict[Any, str]]:
    """Return the checksum of every row of the store by its key, but for what restores are told in."""
    found: dict[str, dict[Any, str]] = {}
    with snapshot() as held:
        for model in archived_models():
            label = model._meta.label_lower
            if label in TOLD:
                continue
            place = [column.name for column in columns_of(model)].index(model._meta.pk.column)
            found[label] = {
                row[place]: hashlib.sha256(lines_made([row])).hexdigest()
                for batch in rows_of(held, model)
                for row in batch
            }
    return found


def changed(before: dict[str, dict[Any, str]]) -> dict[str, set[Any]]:
    """Return the keys of the rows that were there and are gone or otherwise now, by table."""
    now = rows()
    found = {
        label: {pk for pk, checksum in those.items() if now[label].get(pk) != checksum}
        for label, those in before.items()
    }
    return {label: pks for label, pks in found.items() if pks}


def added(before: dict[str, dict[Any, str]]) -> dict[str, int]:
    """Return how many rows there are now that were not there, by table."""
    numbers = {label: len(those.keys() - before[label].keys()) for label, those in rows().items()}
    return {label: number for label, number in numbers.items() if number}


def of_session(session: Session) -> dict[str, list[str]]:
    """Return everything that a session is and holds, without keys, in an order of its own."""
    found = {"session": _plain(Session.objects.filter(pk=session.pk))}
    for model, holder in owned().items():
        way = "session" if holder.related_model is Session else f"{holder.name}__session"
        if model._meta.model_name != "providerkey":
            found[model._meta.model_name] = _plain(model._base_manager.filter(**{way: session.pk}))
    found["runs"] = _plain(WorkflowRun.objects.filter(session=session))
    found["calls_of_tasks"] = sorted(
        map(str, session_calls(session).values_list("record_id", "task__record_id").order_by("record_id"))
    )
    found["sources"] = sorted(ImportOrigin.objects.filter(session=session).values_list("run__source", flat=True))
    found["workflow"] = [str(session.workflow and session.workflow.workflow_id)]
    return found


def session_calls(session: Session) -> Any:
    """Return the calls of tools of a session."""
    return apps.get_model("history_app.toolcall")._base_manager.filter(session=session)


def _plain(found: Any) -> list[str]:
    fields = [
        field
        for field in found.model._meta.local_concrete_fields
        if not field.primary_key and field.related_model is None and field.name not in _OWN
    ]
    assert all(column_of(field) for field in fields)
    return sorted(map(repr, found.values_list(*[field.attname for field in fields])))


def full_session(**fields: Any) -> Session:
    """Make a session with a row of everything that can hang on one."""
    project = fields.setdefault("project", factories.default_project())
    workflow = factories.make_workflow(project=project)
    session = factories.make_session(workflow=workflow, tags=["订单"], metadata={"deep": [1.5, None]}, **fields)
    task = factories.make_task(session=session)
    factories.make_subtask(task=task)
    factories.make_tool_call(session=session, task=task, execution_time=1e-7)
    factories.make_tool_call(session=session)
    for text in ("line\none\u2028two 订单 \U0001f642", "", "three"):
        factories.make_message(session=session, content=text)
    for make in _OF_SESSION:
        make(session=session)
    factories.make_workflow_run(session=session, workflow=workflow)
    return session


_OF_SESSION = (
    factories.make_llm_call, factories.make_error, factories.make_metric, factories.make_arrival,
    factories.make_session_state, factories.make_label,
    factories.make_import_origin, factories.make_token_usage,
)  # fmt: skip


def orphans() -> list[Any]:
    """Return the rows that refer to rows that are not there, over every foreign key of the archived tables."""
    found = []
    for model in archived_models():
        for field in model._meta.local_concrete_fields:
            if field.related_model is None:
                continue
            parents = field.related_model._base_manager.values(field.target_field.attname)
            lost = model._base_manager.exclude(**{f"{field.attname}__isnull": True}).exclude(
                **{f"{field.attname}__in": parents}
            )
            found += [(model._meta.label_lower, field.name, pk) for pk in lost.values_list("pk", flat=True)]
    connection.check_constraints()
    return found
