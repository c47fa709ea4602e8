"""Connectors: the other systems in which sessions are deleted along with theirs here."""

from config.env import env

CONNECTORS = env.list("CONNECTORS", default=[])
# Seconds for one call, from the connection to the last byte of the answer.
CONNECTOR_TIMEOUT = env.float("CONNECTOR_TIMEOUT", default=10.0)

RAGFLOW_URL = env.str("RAGFLOW_URL", default="")
RAGFLOW_API_KEY = env.str("RAGFLOW_API_KEY", default="")
RAGFLOW_CHAT_ID = env.str("RAGFLOW_CHAT_ID", default="")
