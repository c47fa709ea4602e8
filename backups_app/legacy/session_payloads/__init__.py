"""The session payloads of document 004: one JSON document a session, bare, wrapped, in batches, or of older kinds."""
