"""Brings in configuration and workflow definitions: what is set already stays, what differs is reported."""

from typing import Any

from backups_app.legacy.types import LegacyConfig, LegacyWorkflow
from backups_app.services.legacy_import.items import ImportContext
from sessions_app.models import SystemConfig, Workflow
from sessions_app.services.config_secrets import secrets_taken_out
from sessions_app.services.configs import DEFAULTS, config_set, value_type_of
from sessions_app.services.workflows import workflow_save

WORKFLOW_SECTION = "workflows"
VERSION_LENGTH = 64
LAYOUT_LENGTH = 64
# What grows with every run says nothing about whether the definition is another one.
OF_USE = frozenset({"usage_count", "last_used_at"})
_DEFAULT_KEYS = frozenset(key for key, *_rest in DEFAULTS)


class ConfigImport:
    """Brings each value in by itself."""

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._waiting: list[LegacyConfig] = []

    def add(self, config: LegacyConfig) -> None:
        """Take one value on."""
        self._waiting.append(config)

    def flush(self) -> None:
        """Bring in what is waiting."""
        for config in self._waiting:
            config_import(config=config, context=self._context)
        self._waiting.clear()


class WorkflowImport:
    """Brings each definition in by itself."""

    def __init__(self, context: ImportContext) -> None:
        self._context = context
        self._waiting: list[LegacyWorkflow] = []

    def add(self, workflow: LegacyWorkflow) -> None:
        """Take one definition on."""
        self._waiting.append(workflow)

    def flush(self) -> None:
        """Bring in what is waiting."""
        for workflow in self._waiting:
            workflow_import(workflow=workflow, context=self._context)
        self._waiting.clear()


def config_import(*, config: LegacyConfig, context: ImportContext) -> None:
    """Bring one value in. A default that nobody has touched gives way to it; any other stored value stays."""
    context.report.kinds["config"].read += 1
    stored = SystemConfig.objects.filter(project_id=context.project_id, key=config.key).first()
    if stored is None or _is_untouched_default(stored):
        _set(config.key, config.section, config.value, config.secrets, context, config.description)
        context.brought("config", config.key, config.place)
        result = "new"
    elif _is_same(stored, config):
        result = "same"
    else:
        result = "conflicting"
        detail = f"the key {config.key!r:.300} is set to another value, which stays"
        context.contradict("config", config.place, detail, config.value)
    context.settle("config", result, repaired=config.repaired)


def _is_untouched_default(stored: SystemConfig) -> bool:
    return stored.version == 1 and stored.section == "" and stored.key in _DEFAULT_KEYS


def _set(  # noqa: PLR0917 - the parts of one setting
    key: str, section: str, value: Any, secrets: dict[str, str], context: ImportContext, description: str = ""
) -> None:
    config_set(
        project_id=context.project_id,
        key=key,
        value=value,
        # A default that gives way may have had another type.
        value_type=value_type_of(value),
        section=section,
        description=description or None,
        secrets=secrets,
        now=context.now,
        caller=context.caller,
    )


def _is_same(stored: SystemConfig, config: LegacyConfig) -> bool:
    masked, sealed = secrets_taken_out(config.key, config.value, dict(config.secrets), {})
    # A store without sections says nothing of them.
    sections = {stored.section, config.section} - {""}
    return stored.value == masked and len(sections) <= 1 and stored.unseal() == sealed


def workflow_import(*, workflow: LegacyWorkflow, context: ImportContext) -> None:
    """Bring one definition in. One that only its name is known of is filled; any other stored one stays."""
    context.report.kinds["workflow"].read += 1
    values = workflow_values(workflow)
    if workflow.usage_count:
        context.counted_workflows.add(workflow.name)
    stored = Workflow.objects.filter(project_id=context.project_id, workflow_id=workflow.name).first()
    if stored is None or _is_name_only(stored):
        saved, _is_new = workflow_save(
            project_id=context.project_id,
            workflow_id=workflow.name,
            values=values,
            now=context.now,
            caller=context.caller,
        )
        if workflow.secrets:
            key = f"{WORKFLOW_SECTION}.{workflow.name}"
            _set(key, WORKFLOW_SECTION, workflow.definition, workflow.secrets, context)
            context.brought("config", key, workflow.place)
        if stored is None or saved.updated_at == context.now:
            kind = "filled_workflow" if stored else "workflow"
            context.brought(kind, workflow.name, workflow.place)
        result = "new"
    elif all(getattr(stored, name) == value for name, value in values.items() if name not in OF_USE):
        result = "same"
    else:
        result = "conflicting"
        detail = f"the workflow {workflow.name!r:.300} is stored with another definition, which stays"
        context.contradict("workflow", workflow.place, detail, values)
    context.settle("workflow", result, repaired=workflow.repaired)


def _is_name_only(stored: Workflow) -> bool:
    """Whether the definition was made because a session named it, and says nothing more."""
    return stored.name == stored.workflow_id and not (stored.nodes or stored.edges or stored.config)


def workflow_values(workflow: LegacyWorkflow) -> dict[str, Any]:
    """The columns of the definition; keys that fit no column stay in `config`."""
    rest = dict(workflow.definition)
    values: dict[str, Any] = {
        "name": workflow.title[:255] or workflow.name,
        "description": workflow.description,
        "config_path": workflow.config_path[:500],
        "usage_count": workflow.usage_count,
        "loaded_at": workflow.loaded_at,
        "last_used_at": workflow.last_used,
    }
    if len(workflow.version) <= VERSION_LENGTH:
        values["version"] = workflow.version
    else:
        rest["version"] = workflow.version
    for name, kind in (("nodes", list), ("edges", list), ("node_positions", dict), ("visualization_settings", dict)):
        if type(rest.get(name)) is kind:
            values[name] = rest.pop(name)
    layout = rest.get("layout_algorithm")
    if type(layout) is str and len(layout) <= LAYOUT_LENGTH:
        values["layout_algorithm"] = rest.pop("layout_algorithm")
    return {**values, "config": rest}
