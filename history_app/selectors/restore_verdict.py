"""The verdict on a restored session: what it names or counts and what is not there, each by name."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from config.shared.plain_rows import Row, is_empty, stated

# Where agents name the sources they use, by id or name, in a list under this key.
NAMED_IN = ("agent_config", "settings", "context", "workflow_config")
KNOWLEDGE_KEY = "knowledge_sources"
NAMES_READ = 200
PLACEHOLDER = "placeholder"

Missing = dict[str, str]


@dataclass(frozen=True, slots=True)
class KnowledgeNames:
    """The knowledge sources that a session names: some by their id, some by their name."""

    ids: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()


def knowledge_names(session: Row) -> KnowledgeNames:
    """Return the sources that the session's documents name, at most NAMES_READ."""
    entries: list[Any] = []
    for place in NAMED_IN:
        listed = stated(session[place], KNOWLEDGE_KEY)
        entries += listed if isinstance(listed, list) else []
    read = list(dict.fromkeys(_name(item) for item in entries if _name(item) is not None))[:NAMES_READ]
    return KnowledgeNames(
        tuple(name for name in read if isinstance(name, int)), tuple(name for name in read if isinstance(name, str))
    )


def _name(item: Any) -> int | str | None:
    """Return the id or name in an entry, which may be an object that has one of them."""
    if isinstance(item, Mapping):
        item = next((item[key] for key in ("id", "source_name", "name") if item.get(key)), None)
    is_id = isinstance(item, int) and not isinstance(item, bool) and 0 < item < 2**63
    return item if is_id or (isinstance(item, str) and item) else None


def verdict_of(
    *,
    session: Row,
    state: Row | None,
    workflows: Collection[Row],
    sources: Collection[Row],
    names: KnowledgeNames,
    messages: tuple[int, int],
    cut: Mapping[str, bool],
) -> dict[str, Any]:
    """Return `{"complete", "missing": [{"part", "name", "reason"}]}` of rows with their documents as stored texts.

    `messages` is how many were found and how many there should be; that older ones are beyond `last` is no fault.
    `cut` says of which parts only a beginning is shown. What a session never had (a state, preferences) is not missing.
    """
    found, expected = messages
    missing = [
        *_session_missing(session),
        *_workflows_missing(state, workflows),
        *_sources_missing(sources, names),
    ]
    if found < expected:
        missing.append(
            _told("messages", f"{expected - found} of the last {expected}", _("They are counted, but not stored."))
        )
    missing += [_told(part, "the older ones", _("There are more than are shown.")) for part in cut if cut[part]]
    return {"complete": not missing, "missing": missing}


def _told(part: str, name: str, reason: str) -> Missing:
    return {"part": part, "name": name, "reason": reason}


def _session_missing(session: Row) -> Iterator[Missing]:
    if stated(session["metadata"], PLACEHOLDER):
        yield _told(
            "session", session["session_id"], _("Its records came first; the session itself was never described.")
        )


def _workflows_missing(state: Row | None, workflows: Collection[Row]) -> Iterator[Missing]:
    named = state["workflow_name"] if state else ""
    if named and not any(row["workflow_id"] == named for row in workflows):
        yield _told("workflow", named, _("The state names it, and there is none of this id."))
    for row in workflows:
        if all(is_empty(row[name]) for name in ("nodes", "edges", "config")):
            yield _told("workflow", row["workflow_id"], _("It is named, but was never defined."))


def _sources_missing(sources: Collection[Row], names: KnowledgeNames) -> Iterator[Missing]:
    alive = [row for row in sources if row["deleted_at"] is None]
    for name in (*names.ids, *names.texts):
        column = "id" if isinstance(name, int) else "source_name"
        if any(row[column] == name for row in alive):
            continue
        deleted = any(row[column] == name for row in sources)
        reason = _("The knowledge source was deleted.") if deleted else _("There is no such knowledge source.")
        yield _told("knowledge_sources", str(name), reason)
