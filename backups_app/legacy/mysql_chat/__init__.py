"""The chat tables of document 003, from a dump of MySQL or MariaDB: parsed, and never run."""
