"""Reads the YAML tree `configs/`: what is below `workflows/` as workflow definitions, the rest as configuration."""

from pathlib import PurePosixPath
from typing import Any

from backups_app.legacy.fields import NAME_LENGTH
from backups_app.legacy.files import FoundFile, Unreadable, read_whole
from backups_app.legacy.history_store.encodings import as_utf8
from backups_app.legacy.secrets import split_secrets
from backups_app.legacy.types import Finding, LegacyConfig, LegacyWorkflow, Level, Place, Reading
from config.shared.text import Replaced, clean_json
from config.shared.yaml_plain import BadYAML, PlainYAML, read_yaml

WORKFLOWS = "workflows"


def read_config(found: FoundFile, inside: str, reading: Reading) -> LegacyConfig | None:
    """The configuration in a YAML file. `inside` is its path below `configs/`, which gives section and key."""
    document = _read(found, "config", reading)
    if document is None:
        return None
    key = inside.rpartition(".")[0].replace("/", ".")
    if len(key) > NAME_LENGTH:
        reading.report(
            Finding(Level.REJECTED, "key_too_long", Place(found.name), "the path is too long for a key", "config")
        )
        return None
    value, secrets = split_secrets(document.value)
    section = PurePosixPath(inside).parts[0] if "/" in inside else "global"
    return LegacyConfig(key, section[:100], value, Place(found.name), secrets, repaired=bool(document.repeated_keys))


def read_workflow(found: FoundFile, inside: str, reading: Reading) -> LegacyWorkflow | None:
    """The workflow definition in a YAML file, named as the file is, which is what sessions and the table call it."""
    document = _read(found, "workflow", reading)
    if document is None:
        return None
    place = Place(found.name)
    if type(document.value) is not dict:
        reading.report(Finding(Level.REJECTED, "not_a_mapping", place, "a workflow has to be a mapping", "workflow"))
        return None
    definition, secrets = split_secrets(document.value)
    workflow = workflow_of(PurePosixPath(inside).stem[:NAME_LENGTH], definition, place)
    workflow.config_path = workflow.config_path or f"configs/{inside}"
    workflow.secrets = secrets
    workflow.repaired = bool(document.repeated_keys)
    return workflow


def workflow_of(name: str, definition: dict[str, Any], place: Place) -> LegacyWorkflow:
    """A workflow from its definition; what is no text where a text is meant stays in the definition."""
    rest = dict(definition)
    texts = {
        key: rest.pop(key) for key in ("name", "description", "version", "config_path") if type(rest.get(key)) is str
    }
    return LegacyWorkflow(
        name=name,
        place=place,
        title=texts.get("name", ""),
        description=texts.get("description", ""),
        version=texts.get("version", ""),
        config_path=texts.get("config_path", ""),
        definition=rest,
    )


def _read(found: FoundFile, kind: str, reading: Reading) -> PlainYAML | None:
    """What the file says, with findings about it. A finding never quotes a YAML file, for it may hold secrets."""
    place = Place(found.name)
    try:
        data = as_utf8(read_whole(found.path, reading.limits.document_bytes), place, kind, reading)
        document = read_yaml(data, reading.limits.depth)
    except Unreadable as error:
        reading.report(Finding(Level.REJECTED, "unreadable", place, str(error), kind))
        return None
    except BadYAML as error:
        level = Level.SKIPPED if error.code == "empty" else Level.REJECTED
        reading.report(Finding(level, error.code, place.at_line(error.line), str(error), kind))
        return None
    _report_oddities(document, place, kind, reading)
    return document


def _report_oddities(document: PlainYAML, place: Place, kind: str, reading: Reading) -> None:
    for key, line in document.repeated_keys:
        detail = f"the key {key!r:.100} stands twice; the last one counts"
        reading.report(Finding(Level.REPAIRED, "repeated_key", place.at_line(line), detail, kind))
    replaced = Replaced()
    document.value = clean_json(document.value, replaced, depth=reading.limits.depth + 1)
    if replaced:
        reading.report(Finding(Level.REPAIRED, "text_replaced", place, "NUL in a text was replaced by U+FFFD", kind))
    if type(document.value) is not dict:
        reading.report(Finding(Level.NOTE, "not_a_mapping", place, "the file holds no mapping; kept as it is", kind))
