"""Settings and workflows of a project as a configs tree."""

from datetime import datetime
from typing import Any

from config.shared.callers import Caller
from config.shared.yaml_writing import write_yaml
from sessions_app.models import SystemConfig, Workflow
from sessions_app.services.config_secrets import revealed
from sessions_app.services.config_trees.form import (
    COLUMNS,
    DOCUMENTS,
    FORMAT,
    GLOBAL,
    INDEX,
    SAFE,
    WORKFLOWS,
    Tree,
    tree_audit,
)


def configs_export(*, project_id: int, reveal: bool, now: datetime, caller: Caller) -> Tree:
    """Return all settings and workflow definitions as YAML files by path.

    Secrets are masks, unless `reveal` asks for them; that they were asked for is in the audit before they are read.
    Documents of a section are files of their own, as in document 000; `agentledger.yaml` holds everything else, and
    what a file alone does not say. Raises DecryptionFailed.
    """
    what = {"secrets": "revealed" if reveal else "masked"}
    tree_audit(project_id, "configs.export", what, caller, now)
    tree: Tree = {}
    configs = [
        _config_told(row, tree, reveal=reveal)
        for row in SystemConfig.objects.filter(project_id=project_id).order_by("key")
    ]
    workflows = [
        _workflow_told(row, tree) for row in Workflow.objects.filter(project_id=project_id).order_by("workflow_id")
    ]
    index = {"format": FORMAT, "settings": configs, "workflows": workflows}
    return {INDEX: write_yaml(index), **tree}


def _config_told(row: SystemConfig, tree: Tree, *, reveal: bool) -> dict[str, Any]:
    secrets = row.unseal() if row.sealed_secrets else {}
    value = revealed(row.value, secrets) if reveal else row.value
    told: dict[str, Any] = {"key": row.key, "section": row.section, "value_type": str(row.value_type)}
    if row.description:
        told["description"] = row.description
    if secrets:
        told["secrets"] = sorted(secrets)
    path = _own_file(row)
    if path is not None and path.lower() not in {name.lower() for name in tree}:
        tree[path] = write_yaml(value)
        return {**told, "file": path}
    return {**told, "value": value}


def _own_file(row: SystemConfig) -> str | None:
    """Return the file of a document of a section, as document 000 names it; None for all other settings."""
    if not isinstance(row.value, dict):
        return None
    if row.key == GLOBAL:
        return f"{GLOBAL}.yaml"
    section, _dot, name = row.key.partition(".")
    is_plain = section == row.section and section != WORKFLOWS and SAFE.fullmatch(section) and SAFE.fullmatch(name)
    return f"{section}/{name}.yaml" if is_plain else None


def _workflow_told(row: Workflow, tree: Tree) -> dict[str, Any]:
    stated = {name: getattr(row, name) for name in (*COLUMNS, *DOCUMENTS) if getattr(row, name)}
    clashing = {name: value for name, value in row.config.items() if name in stated or name in COLUMNS}
    clashing |= {name: row.config[name] for name, kind in DOCUMENTS.items() if isinstance(row.config.get(name), kind)}
    rest = {name: value for name, value in row.config.items() if name not in clashing}
    told: dict[str, Any] = {"workflow_id": row.workflow_id}
    if clashing:
        told["config"] = clashing
    path = f"{WORKFLOWS}/{row.workflow_id}.yaml"
    if SAFE.fullmatch(row.workflow_id) and path.lower() not in {name.lower() for name in tree}:
        tree[path] = write_yaml({**stated, **rest})
        return {**told, "file": path}
    return {**told, "definition": {**stated, **rest}}
