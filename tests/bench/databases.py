"""The databases that are measured, and the environment of a run."""

import base64
import os
import secrets
import sys
from pathlib import Path

import psycopg

from tests.scratch import SQLITE


def answering() -> list[str]:
    """Return SQLite, and the server of BENCH_DATABASE_URL where it answers."""
    server = os.environ.get("BENCH_DATABASE_URL", "")
    if not server:
        sys.stdout.write("PostgreSQL is left out: BENCH_DATABASE_URL names no server.\n")
        return [SQLITE]
    try:
        psycopg.connect(server, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        sys.stdout.write(f"PostgreSQL is left out: {error}\n")
        return [SQLITE]
    return [SQLITE, server]


def surroundings(url: str, folder: Path) -> dict[str, str]:
    """Return the environment of a run on that database: nothing of this machine's own settings."""
    own = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(folder), "ENV_FILE": "", "LOG_LEVEL": "ERROR"}
    keys = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    own |= {"SECRET_KEY": secrets.token_hex(32), "FIELD_ENCRYPTION_KEYS": f"bench:{keys}", "DATABASE_URL": url}
    # Filling a store takes longer than any request may.
    return {**os.environ, **own, "QUERY_TIMEOUT": "600"}
