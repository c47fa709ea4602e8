"""The configs tree of document 000 (global, llms/, workflows/, agents/) as YAML: written, and read back exactly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from config.shared.callers import Caller
from config.shared.errors import FieldError, InvalidInput
from config.shared.text import MAX_JSON_DEPTH, Replaced, clean_json
from config.shared.yaml_plain import BadYAML, read_yaml
from config.shared.yaml_writing import write_yaml
from sessions_app.models import SystemConfig, Workflow
from sessions_app.models.configuration import MASK
from sessions_app.services.audit import audit_record
from sessions_app.services.config_secrets import revealed, secrets_taken_out, value_at
from sessions_app.services.configs import config_set
from sessions_app.services.workflows import workflow_save

INDEX = "agentledger.yaml"
FORMAT = "agentledger-configs/1"
WORKFLOWS, GLOBAL = "workflows", "global"
_SAFE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.\-]{0,120}")
_COLUMNS = ("name", "description", "version", "config_path", "layout_algorithm")
_DOCUMENTS = {"nodes": list, "edges": list, "node_positions": dict, "visualization_settings": dict}

Tree = dict[str, bytes]


@dataclass(slots=True)
class Imported:
    """What an import did, or would do: settings by key, workflows as workflows/id."""

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"new": self.new, "changed": self.changed, "unchanged": self.unchanged}


def configs_export(*, project_id: int, reveal: bool, now: datetime, caller: Caller) -> Tree:
    """Return all settings and workflow definitions as YAML files by path.

    Secrets are masks, unless `reveal` asks for them; that they were asked for is in the audit before they are read.
    Documents of a section are files of their own, as in document 000; `agentledger.yaml` holds everything else, and
    what a file alone does not say. Raises DecryptionFailed.
    """
    what = {"secrets": "revealed" if reveal else "masked"}
    _audit(project_id, "configs.export", what, caller, now)
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
    is_plain = section == row.section and section != WORKFLOWS and _SAFE.fullmatch(section) and _SAFE.fullmatch(name)
    return f"{section}/{name}.yaml" if is_plain else None


def _workflow_told(row: Workflow, tree: Tree) -> dict[str, Any]:
    stated = {name: getattr(row, name) for name in (*_COLUMNS, *_DOCUMENTS) if getattr(row, name)}
    clashing = {name: value for name, value in row.config.items() if name in stated or name in _COLUMNS}
    clashing |= {name: row.config[name] for name, kind in _DOCUMENTS.items() if isinstance(row.config.get(name), kind)}
    rest = {name: value for name, value in row.config.items() if name not in clashing}
    told: dict[str, Any] = {"workflow_id": row.workflow_id}
    if clashing:
        told["config"] = clashing
    path = f"{WORKFLOWS}/{row.workflow_id}.yaml"
    if _SAFE.fullmatch(row.workflow_id) and path.lower() not in {name.lower() for name in tree}:
        tree[path] = write_yaml({**stated, **rest})
        return {**told, "file": path}
    return {**told, "definition": {**stated, **rest}}


@dataclass(slots=True)
class _Setting:
    key: str
    value: Any
    section: str
    stated: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Definition:
    workflow_id: str
    document: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)


def configs_import(*, project_id: int, tree: Tree, now: datetime, caller: Caller, dry_run: bool = False) -> Imported:
    """Set what a tree says, all or none; what it does not name stays. A mask keeps the secret that is stored.

    A tree of document 000 without an index is read by its paths. Raises InvalidInput that names each bad file.
    """
    settings, definitions = _read_tree(tree)
    done = Imported()
    with transaction.atomic():
        for setting in settings:
            _bring_setting(project_id, setting, done, now, caller)
        for definition in definitions:
            _bring_workflow(project_id, definition, done, now, caller)
        _audit(project_id, "configs.import", {"new": len(done.new), "changed": len(done.changed)}, caller, now)
        if dry_run:
            transaction.set_rollback(True)
    return done


def _bring_setting(project_id: int, setting: _Setting, done: Imported, now: datetime, caller: Caller) -> None:
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


def _is_same(stored: SystemConfig, setting: _Setting) -> bool:
    kept = stored.unseal()
    masked, sealed = secrets_taken_out(setting.key, setting.value, dict(setting.secrets), kept)
    stated = {"section": setting.section, **setting.stated}
    return stored.value == masked and sealed == kept and all(getattr(stored, n) == v for n, v in stated.items())


def _bring_workflow(project_id: int, definition: _Definition, done: Imported, now: datetime, caller: Caller) -> None:
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
        _bring_setting(project_id, _Setting(key, masked, WORKFLOWS, {}, secrets), done, now, caller)


def _workflow_values(workflow_id: str, document: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    rest = dict(document)
    values: dict[str, Any] = dict.fromkeys(_COLUMNS, "") | {name: kind() for name, kind in _DOCUMENTS.items()}
    for name in _COLUMNS:
        limit = getattr(Workflow._meta.get_field(name), "max_length", None)
        if isinstance(rest.get(name), str) and len(rest[name]) <= (limit or len(rest[name])):
            values[name] = rest.pop(name)
    for name, kind in _DOCUMENTS.items():
        if isinstance(rest.get(name), kind):
            values[name] = rest.pop(name)
    values["name"] = values["name"] or workflow_id
    return {**values, "config": {**rest, **config}}


def _read_tree(tree: Tree) -> tuple[list[_Setting], list[_Definition]]:
    documents, errors = {}, []
    for path, data in sorted(tree.items()):
        try:
            documents[path] = clean_json(read_yaml(data, MAX_JSON_DEPTH).value, Replaced(), MAX_JSON_DEPTH + 1)
        except BadYAML as error:
            errors.append(FieldError(f"/{path}", f"Line {error.line or 1}: {error}."))
    if errors:
        raise InvalidInput(errors)
    index = documents.get(INDEX)
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        index = {}
    else:
        del documents[INDEX]
    settings = [_indexed_setting(entry, documents) for entry in _list(index, "settings")]
    definitions = [_indexed_workflow(entry, documents) for entry in _list(index, "workflows")]
    for path, document in documents.items():
        _add_by_path(path, document, settings, definitions)
    return settings, definitions


def _list(index: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    entries = index.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput.at(f"/{INDEX}", f"{name} is a list of mappings.")
    return entries


def _content(entry: Mapping[str, Any], name: str, documents: dict[str, Any]) -> Any:
    if "file" not in entry:
        return entry.get(name)
    if entry["file"] not in documents:
        raise InvalidInput.at(f"/{INDEX}", f"It names the file {entry['file']!r}, which is not there.")
    return documents.pop(entry["file"])


def _indexed_setting(entry: Mapping[str, Any], documents: dict[str, Any]) -> _Setting:
    value = _content(entry, "value", documents)
    if not isinstance(entry.get("key"), str) or not entry["key"]:
        raise InvalidInput.at(f"/{INDEX}", "A setting needs a key.")
    stated = {"value_type": entry.get("value_type"), "description": entry.get("description", "")}
    found = {pointer: value_at(value, pointer) for pointer in entry.get("secrets", [])}
    secrets = {pointer: secret for pointer, secret in found.items() if secret != MASK}
    return _Setting(entry["key"], value, str(entry.get("section", "")), stated, secrets)


def _indexed_workflow(entry: Mapping[str, Any], documents: dict[str, Any]) -> _Definition:
    document = _content(entry, "definition", documents)
    if not isinstance(entry.get("workflow_id"), str) or not isinstance(document, dict):
        raise InvalidInput.at(f"/{INDEX}", "A workflow needs its workflow_id and a definition.")
    return _Definition(entry["workflow_id"], document, entry.get("config") or {})


def _add_by_path(path: str, document: Any, settings: list[_Setting], definitions: list[_Definition]) -> None:
    """Read a file that no index names as document 000 means it: section and key are its path."""
    inside = path.rpartition(".")[0]
    section, slash, name = inside.partition("/")
    if slash and section == WORKFLOWS:
        if not isinstance(document, dict):
            raise InvalidInput.at(f"/{path}", "A workflow has to be a mapping.")
        definitions.append(_Definition(name.rpartition("/")[2], document))
    else:
        settings.append(_Setting(inside.replace("/", "."), document, section if slash else GLOBAL))


def _audit(project_id: int, action: str, changes: Mapping[str, Any], caller: Caller, now: datetime) -> None:
    audit_record(
        project_id=project_id,
        caller=caller,
        action=action,
        target_type="configs",
        target_id="",
        changes=changes,
        now=now,
    )
