"""The formats of old stores that can be brought in, and how one is recognised."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from backups_app.legacy.agent_flow.store import AgentFlow
from backups_app.legacy.agent_flow.survey import looks_like_agent_flow
from backups_app.legacy.blueplan.sources import looks_like_blueplan
from backups_app.legacy.blueplan.store import SCHEMES as REDIS_SCHEMES
from backups_app.legacy.blueplan.store import BluePlan
from backups_app.legacy.history_backups import HistoryBackups, looks_like_history_backups
from backups_app.legacy.history_store.store import HistoryStore
from backups_app.legacy.history_store.survey import looks_like_history_store
from backups_app.legacy.locations import URL, Location
from backups_app.legacy.mysql_chat.store import SCHEMES as MYSQL_SCHEMES
from backups_app.legacy.mysql_chat.store import MySQLChat, looks_like_mysql_chat
from backups_app.legacy.openai_agents.store import OpenAIAgents, looks_like_openai_agents
from backups_app.legacy.plain_chats.store import PlainChats, looks_like_plain_chats
from backups_app.legacy.session_payloads.store import SessionPayloads, looks_like_session_payloads
from backups_app.legacy.types import LegacyItem, Reading, StoreBegins


class LegacyStore(Protocol):
    """One store being read: how much there is, how much of it was read, and what it holds."""

    @property
    def bytes(self) -> int:
        """How much there is, as far as that is known."""

    @property
    def bytes_read(self) -> int:
        """How much of it was read."""

    def items(self) -> Generator[LegacyItem | StoreBegins, None, None]:
        """Everything in the store, sessions before their records."""


class Format(NamedTuple):
    """A format: whether a path looks like one, how it is opened, and the schemes of the URLs that it is read from."""

    looks_like: Callable[[Path], bool]
    open: Callable[[Any, Reading], LegacyStore]
    schemes: tuple[str, ...] = ()


# In the order in which they are asked: a format that is sure of itself comes before one that takes more.
FORMATS = {
    "history_backups": Format(looks_like_history_backups, HistoryBackups),
    "history_store": Format(looks_like_history_store, HistoryStore),
    "agent_flow": Format(looks_like_agent_flow, AgentFlow),
    "openai_agents": Format(looks_like_openai_agents, OpenAIAgents),
    "session_payloads": Format(looks_like_session_payloads, SessionPayloads),
    "mysql_chat": Format(looks_like_mysql_chat, MySQLChat, MYSQL_SCHEMES),
    "blueplan": Format(looks_like_blueplan, BluePlan, REDIS_SCHEMES),
    "plain_chats": Format(looks_like_plain_chats, PlainChats),
}
SCHEMES = {scheme: name for name, known in FORMATS.items() for scheme in known.schemes}


def detect(location: Location) -> str | None:
    """The name of the format that the store at a path or URL has, or None."""
    if isinstance(location, URL):
        return SCHEMES.get(location.scheme)
    return next((name for name, known in FORMATS.items() if known.looks_like(location)), None)
