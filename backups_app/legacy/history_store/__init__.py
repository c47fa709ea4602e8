"""The store of document 000: session files, monthly JSON Lines, a YAML tree and `metadata.db`."""
