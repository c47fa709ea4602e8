"""Brings in configuration and workflow definitions: what is set already stays, what differs is reported."""

from typing import Any

from msgspec.structs import replace

from backups_app.legacy.times import times_assumed
from backups_app.legacy.types import LegacyConfig, LegacyWorkflow
from backups_app.services.legacy_import.conflicts import (
    OnConflict,
    beside_id,
    kept_beside_finding,
    replaced_finding,
)
from backups_app.services.legacy_import.items import ImportContext
from sessions_app.models import SystemConfig, Workflow
from sessions_app.services.config_secrets import secrets_taken_out
from sessions_app.services.configs import DEFAULTS, config_set, value_type_of
from sessions_app.services.workflows import workflow_save

WORKFLOW_SECTION = "workflows"
SEALED_KIND = "secret"
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
    """Bring one value in. A default that nobody has touched gives way to it; any other stored value stays.

    With another choice for conflicts the value replaces the stored one, or is kept beside it under a key of its own.
    """
    context.report.kinds["config"].read += 1
    stored = _config_stored(config.key, context)
    if stored is None or _is_untouched_default(stored):
        result, solved = _bring(config, context), ""
    elif _is_same(stored, config):
        result, solved = "same", ""
    else:
        result, solved = _config_conflict(stored, config, context)
    context.settle("config", result, repaired=config.repaired, solved=solved)
    _count_secrets(config.secrets, result, solved, context)


def _count_secrets(secrets: dict[str, str], result: str, solved: str, context: ImportContext) -> None:
    """Count the keys and passwords that are sealed with a value: they share its lot."""
    if secrets:
        context.report.kinds[SEALED_KIND].read += len(secrets)
    for _secret in secrets:
        context.settle(SEALED_KIND, result, solved=solved)


def _config_stored(key: str, context: ImportContext) -> SystemConfig | None:
    return SystemConfig.objects.filter(project_id=context.project_id, key=key).first()


def _bring(config: LegacyConfig, context: ImportContext) -> str:
    _config_set(config, context)
    context.brought("config", config.key, config.place)
    return "new"


def _config_conflict(stored: SystemConfig, config: LegacyConfig, context: ImportContext) -> tuple[str, str]:
    if context.on_conflict == OnConflict.REPLACE:
        context.log.add_note(replaced_finding("config", config, config.key, {"value": stored.value}))
        _config_set(config, context)
        context.brought("replaced_config", config.key, config.place)
        return "conflicting", "replaced"
    if context.on_conflict == OnConflict.BOTH:
        beside = replace(config, key=beside_id(config.key, [config.value, config.secrets]))
        there = _config_stored(beside.key, context)
        if there is None:
            _bring(beside, context)
            context.log.add_note(kept_beside_finding("config", config, beside.key))
            return "conflicting", "both"
        if _is_same(there, beside):
            return "same", ""
    detail = f"the key {config.key!r:.300} is set to another value, which stays"
    context.contradict("config", config.place, detail, config.value)
    return "conflicting", ""


def _is_untouched_default(stored: SystemConfig) -> bool:
    return stored.version == 1 and stored.section == "" and stored.key in _DEFAULT_KEYS


def _config_set(config: LegacyConfig, context: ImportContext) -> None:
    _set(config.key, config.section, config.value, config.secrets, context, config.description)


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
    """Bring one definition in. One that only its name is known of is filled; any other stored one stays.

    With another choice for conflicts it replaces the stored one, or is kept beside it under an id of its own.
    """
    counts = context.report.kinds["workflow"]
    counts.read += 1
    counts.zoneless += _zoneless(workflow)
    values = workflow_values(workflow)
    if workflow.usage_count:
        context.counted_workflows.add(workflow.name)
    stored = _workflow_stored(workflow.name, context)
    if stored is None or _is_name_only(stored):
        result, solved = _workflow_bring(workflow, values, stored, context), ""
    elif _is_same_workflow(stored, values):
        result, solved = "same", ""
    else:
        result, solved = _workflow_conflict(workflow, values, stored, context)
    context.settle("workflow", result, repaired=workflow.repaired, solved=solved)
    _count_secrets(workflow.secrets, result, solved, context)


def _workflow_stored(name: str, context: ImportContext) -> Workflow | None:
    return Workflow.objects.filter(project_id=context.project_id, workflow_id=name).first()


def _is_same_workflow(stored: Workflow, values: dict[str, Any]) -> bool:
    return all(getattr(stored, name) == value for name, value in values.items() if name not in OF_USE)


def _workflow_bring(
    workflow: LegacyWorkflow, values: dict[str, Any], stored: Workflow | None, context: ImportContext
) -> str:
    saved = _workflow_set(workflow, values, context)
    if stored is None or saved.updated_at == context.now:
        kind = "filled_workflow" if stored else "workflow"
        context.brought(kind, workflow.name, workflow.place, zoneless=_zoneless(workflow))
    return "new"


def _workflow_set(workflow: LegacyWorkflow, values: dict[str, Any], context: ImportContext) -> Workflow:
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
    return saved


def _workflow_conflict(
    workflow: LegacyWorkflow, values: dict[str, Any], stored: Workflow, context: ImportContext
) -> tuple[str, str]:
    if context.on_conflict == OnConflict.REPLACE:
        before = {name: getattr(stored, name) for name in values}
        context.log.add_note(replaced_finding("workflow", workflow, workflow.name, before))
        _workflow_set(workflow, values, context)
        context.brought("replaced_workflow", workflow.name, workflow.place, zoneless=_zoneless(workflow))
        return "conflicting", "replaced"
    if context.on_conflict == OnConflict.BOTH:
        beside = replace(workflow, name=beside_id(workflow.name, workflow.definition))
        there = _workflow_stored(beside.name, context)
        if there is None:
            _workflow_bring(beside, values, None, context)
            context.log.add_note(kept_beside_finding("workflow", workflow, beside.name))
            return "conflicting", "both"
        if _is_same_workflow(there, values):
            return "same", ""
    detail = f"the workflow {workflow.name!r:.300} is stored with another definition, which stays"
    context.contradict("workflow", workflow.place, detail, values)
    return "conflicting", ""


def _zoneless(workflow: LegacyWorkflow) -> int:
    return times_assumed(workflow.loaded_at, workflow.last_used)


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
