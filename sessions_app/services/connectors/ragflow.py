"""RAGFlow: its sessions belong to a chat assistant or an agent, and are deleted over its HTTP API."""

from typing import Any
from urllib.parse import quote

from django.conf import settings

from sessions_app.services.connectors.base import ConnectorError
from sessions_app.services.connectors.http import JsonAnswer, json_call

SHOWN_CHARACTERS = 300
OK = 200
# How RAGFlow says that the session is not there, or not any more.
_GONE = "doesn't own the session"
_SHAPE = "Not a RAGFlow session: a text, or an object with session_id and chat_id or agent_id."


class RagflowConnector:
    """Deletes one session a call: RAGFlow takes an empty list of ids for all sessions of the assistant."""

    def delete_session(self, external_id: Any) -> None:
        """Delete the session. `external_id` is its id (of RAGFLOW_CHAT_ID's sessions), or names owner and session."""
        path, session = _place(external_id)
        answer = json_call(
            method="DELETE",
            url=f"{settings.RAGFLOW_URL.rstrip('/')}/api/v1/{path}/sessions",
            headers={"Authorization": f"Bearer {settings.RAGFLOW_API_KEY}"},
            body={"ids": [session]},
            timeout=settings.CONNECTOR_TIMEOUT,
        )
        _check(answer)


def _place(external_id: Any) -> tuple[str, str]:
    """Return the path of the session's owner, and the session's id."""
    stated = external_id if isinstance(external_id, dict) else {"session_id": external_id}
    session = stated.get("session_id")
    owner = ("agents", stated["agent_id"]) if "agent_id" in stated else ("chats", stated.get("chat_id"))
    kind, name = owner if owner[1] is not None else (owner[0], settings.RAGFLOW_CHAT_ID)
    if not isinstance(session, str) or not session or not isinstance(name, str):
        raise ConnectorError(_SHAPE)
    if not name:
        raise ConnectorError("The session names no chat, and RAGFLOW_CHAT_ID is not set.")
    return f"{kind}/{quote(name, safe='')}", session


def _check(answer: JsonAnswer) -> None:
    """RAGFlow wraps every answer in a code and a message, and has its failures under status 200, too."""
    told = answer.body if isinstance(answer.body, dict) else {}
    code, message = told.get("code"), str(told.get("message", ""))
    if answer.status == OK and (code == 0 or _GONE in message):
        return
    shown = message.replace(settings.RAGFLOW_API_KEY, "***") if settings.RAGFLOW_API_KEY else message
    raise ConnectorError(f"HTTP {answer.status}, code {code}: {shown[:SHOWN_CHARACTERS]}")
