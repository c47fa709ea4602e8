"""A configs tree read: what it says, checked, before anything of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from config.shared.errors import FieldError, InvalidInput, TooLarge
from config.shared.text import MAX_JSON_DEPTH, Replaced, clean_json
from config.shared.yaml_plain import BadYAML, read_yaml
from sessions_app.models import SystemConfig, Workflow
from sessions_app.models.configuration import MASK
from sessions_app.services.config_secrets import value_at
from sessions_app.services.config_trees.form import FORMAT, GLOBAL, INDEX, MOST_BYTES, MOST_FILES, WORKFLOWS, Tree
from sessions_app.services.drafts import max_length


@dataclass(slots=True)
class Setting:
    """One setting of a tree; `file` is where it stands."""

    key: str
    value: Any
    section: str
    stated: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict)
    file: str = INDEX


@dataclass(slots=True)
class Definition:
    """One workflow of a tree."""

    workflow_id: str
    document: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    file: str = INDEX


def read_tree(tree: Tree) -> tuple[list[Setting], list[Definition]]:
    """Return the settings and workflows of a tree. Raises InvalidInput that names each bad file, TooLarge."""
    _check_size(tree)
    documents = _documents(_without_top(tree))
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


def _check_size(tree: Tree) -> None:
    if not tree:
        raise InvalidInput.at("", "There are no YAML files in it.")
    if len(tree) > MOST_FILES or max(map(len, tree.values())) > MOST_BYTES:
        raise TooLarge(f"A tree has at most {MOST_FILES} files of {MOST_BYTES} bytes.")


def _without_top(tree: Tree) -> Tree:
    """Return the tree without the folder `configs` where all of it was packed with that: it is no section."""
    top = "configs/"
    if not all(path.startswith(top) for path in tree):
        return tree
    return {path.removeprefix(top): data for path, data in tree.items()}


def _documents(tree: Tree) -> dict[str, Any]:
    documents, errors = {}, []
    for path, data in sorted(tree.items()):
        try:
            documents[path] = clean_json(read_yaml(data, MAX_JSON_DEPTH).value, Replaced(), MAX_JSON_DEPTH + 1)
        except BadYAML as error:
            errors.append(FieldError(f"/{path}", f"Line {error.line or 1}: {error}."))
    if errors:
        raise InvalidInput(errors)
    return documents


def _list(index: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    entries = index.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput.at(f"/{INDEX}", f"{name} is a list of mappings.")
    return entries


def _content(entry: Mapping[str, Any], name: str, documents: dict[str, Any]) -> Any:
    if "file" not in entry:
        return entry.get(name)
    if not isinstance(entry["file"], str) or entry["file"] not in documents:
        raise InvalidInput.at(f"/{INDEX}", f"It names the file {entry['file']!r}, which is not there.")
    return documents.pop(entry["file"])


def _stated(entry: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    found = entry.get(name, default)
    if not isinstance(found, kind):
        raise InvalidInput.at(f"/{INDEX}", f"{name} of {entry.get('key') or entry.get('workflow_id')!r} is misshapen.")
    return found


def _named(model: Any, column: str, text: Any, file: str) -> str:
    """Return a text that becomes an id or a name. Raises InvalidInput where it is none."""
    longest = max_length(model, column)
    if not isinstance(text, str) or not 0 < len(text) <= longest:
        raise InvalidInput.at(f"/{file}", f"{column} is a text of 1 to {longest} characters.")
    return text


def _indexed_setting(entry: Mapping[str, Any], documents: dict[str, Any]) -> Setting:
    file = entry.get("file", INDEX)
    value = _content(entry, "value", documents)
    key, section = _named(SystemConfig, "key", entry.get("key"), INDEX), _stated(entry, "section", str, "")
    if section:
        _named(SystemConfig, "section", section, INDEX)
    value_type = _stated(entry, "value_type", str, "") or None
    stated = {"value_type": value_type, "description": _stated(entry, "description", str, "")}
    pointers = _stated(entry, "secrets", list, [])
    if not all(isinstance(pointer, str) for pointer in pointers):
        raise InvalidInput.at(f"/{INDEX}", f"secrets of {key!r} is a list of JSON pointers.")
    found = {pointer: value_at(value, pointer) for pointer in pointers}
    secrets = {pointer: secret for pointer, secret in found.items() if secret != MASK}
    return Setting(key, value, section, stated, secrets, file)


def _indexed_workflow(entry: Mapping[str, Any], documents: dict[str, Any]) -> Definition:
    file = entry.get("file", INDEX)
    document = _content(entry, "definition", documents)
    if not isinstance(document, dict):
        raise InvalidInput.at(f"/{INDEX}", "A workflow needs its workflow_id and a definition.")
    workflow_id = _named(Workflow, "workflow_id", entry.get("workflow_id"), INDEX)
    return Definition(workflow_id, document, _stated(entry, "config", dict, {}), file)


def _add_by_path(path: str, document: Any, settings: list[Setting], definitions: list[Definition]) -> None:
    """Read a file that no index names as document 000 means it: section and key are its path."""
    inside = path.rpartition(".")[0]
    section, slash, name = inside.partition("/")
    if slash and section == WORKFLOWS:
        if not isinstance(document, dict):
            raise InvalidInput.at(f"/{path}", "A workflow has to be a mapping.")
        workflow_id = _named(Workflow, "workflow_id", name.rpartition("/")[2], path)
        definitions.append(Definition(workflow_id, document, {}, path))
    else:
        key = _named(SystemConfig, "key", inside.replace("/", "."), path)
        section = _named(SystemConfig, "section", section if slash else GLOBAL, path)
        settings.append(Setting(key, document, section, {}, {}, path))
