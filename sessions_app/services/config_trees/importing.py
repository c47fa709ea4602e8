"""A configs tree brought in: its settings and workflows are set, all of them or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from config.shared.callers import Caller
from config.shared.errors import FieldError, InvalidInput
from sessions_app.models import SystemConfig, Workflow
from sessions_app.services.config_secrets import secrets_taken_out
from sessions_app.services.config_trees.form import COLUMNS, DOCUMENTS, WORKFLOWS, Tree, tree_audit
from sessions_app.services.config_trees.reading import Definition, Setting, read_tree
from sessions_app.services.configs import config_set
from sessions_app.services.workflows import workflow_save


@dataclass(slots=True)
class Imported:
    """What an import did, or would do: settings by key, workflows as workflows/id."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"new": self.new, "changed": self.changed, "unchanged": self.unchanged}


def configs_import(*, project_id: int, tree: Tree, now: datetime, caller: Caller, dry_run: bool = False) -> Imported:
    """Set what a tree says, all or none; what it does not name stays. A mask keeps the secret that is stored.

    A tree of document 000 without an index is read by its paths. Raises InvalidInput that names each bad
    file, TooLarge.
    """
    settings, definitions = read_tree(tree)
    done = Imported()
    with transaction.atomic():
        for setting in settings:
            with _named_in(setting.file):
                _bring_setting(project_id, setting, done, now, caller)
        for definition in definitions:
            with _named_in(definition.file):
                _bring_workflow(project_id, definition, done, now, caller)
        tree_audit(project_id, "configs.import", {"new": len(done.new), "changed": len(done.changed)}, caller, now)
        if dry_run:
            transaction.set_rollback(True)
    return done


@contextmanager
def _named_in(file: str) -> Iterator[None]:
    """Name the file in what is wrong with its content."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput([FieldError(f"/{file}", each.detail) for each in error.errors]) from error


def _bring_setting(project_id: int, setting: Setting, done: Imported, now: datetime, caller: Caller) -> None:
    stored = SystemConfig.objects.filter(project_id=project_id, key=setting.key).first()
    if stored is not None and _is_same(stored, setting):
        done.unchanged += 1
        return
    config_set(
        project_id=project_id,
        key=setting.key,
        value=setting.value,
        section=setting.section,
        secrets=setting.secrets,
        now=now,
        caller=caller,
        **setting.stated,
    )
    (done.new if stored is None else done.changed).append(setting.key)


def _is_same(stored: SystemConfig, setting: Setting) -> bool:
    kept = stored.unseal()
    masked, sealed = secrets_taken_out(setting.key, setting.value, dict(setting.secrets), kept)
    stated = {"section": setting.section, **setting.stated}
    return stored.value == masked and sealed == kept and all(getattr(stored, n) == v for n, v in stated.items())


def _bring_workflow(project_id: int, definition: Definition, done: Imported, now: datetime, caller: Caller) -> None:
    name = f"{WORKFLOWS}/{definition.workflow_id}"
    masked, secrets = secrets_taken_out("", definition.document, {}, {})
    stored = Workflow.objects.filter(project_id=project_id, workflow_id=definition.workflow_id).first()
    values = _workflow_values(definition.workflow_id, masked, definition.config)
    if stored is not None and all(getattr(stored, each) == value for each, value in values.items()):
        done.unchanged += 1
    else:
        workflow_save(project_id=project_id, workflow_id=definition.workflow_id, values=values, now=now, caller=caller)
        (done.new if stored is None else done.changed).append(name)
    if secrets:
        # As the import of old stores does: the secrets of a definition are a sealed setting beside it.
        key = name.replace("/", ".")
        _bring_setting(project_id, Setting(key, masked, WORKFLOWS, {}, secrets), done, now, caller)


def _workflow_values(workflow_id: str, document: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    rest = dict(document)
    values: dict[str, Any] = dict.fromkeys(COLUMNS, "") | {name: kind() for name, kind in DOCUMENTS.items()}
    for name in COLUMNS:
        limit = getattr(Workflow._meta.get_field(name), "max_length", None)
        if isinstance(rest.get(name), str) and len(rest[name]) <= (limit or len(rest[name])):
            values[name] = rest.pop(name)
    for name, kind in DOCUMENTS.items():
        if isinstance(rest.get(name), kind):
            values[name] = rest.pop(name)
    values["name"] = values["name"] or workflow_id
    return {**values, "config": {**rest, **config}}
