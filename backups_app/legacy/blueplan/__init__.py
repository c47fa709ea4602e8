"""The key-value store of document 001: as files, as dumps of Redis, in its own backups, and over the network."""
