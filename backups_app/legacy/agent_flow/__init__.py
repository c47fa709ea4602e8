"""The store of document 002: `agent_flow.db` with tasks, settings, users, knowledge and tool calls, and its backups."""
