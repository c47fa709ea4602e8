"""Databases in which the OpenAI Agents SDK keeps its sessions: `agent_sessions` and `agent_messages`."""
