"""A pytest plugin that gives the tests an environment of their own, before Django reads its settings.

It is loaded with `-p tests.surroundings` (pyproject.toml), because a conftest.py would come too late for pytest-django.
"""

import atexit
import base64
import os
import shutil
import tempfile


def _surroundings() -> None:
    """Give the tests their own folder and secrets before Django reads its settings.

    Nothing of the developer's `.env` or store is used. DATABASE_URL is taken from outside, for the runs on
    PostgreSQL and MariaDB; without it the tests run on SQLite.
    """
    folder = tempfile.mkdtemp(prefix="agentledger-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        ENV_FILE="",
        DATA_DIR=folder,
        SECRET_KEY="a key for tests only, which protects nothing at all",
        FIELD_ENCRYPTION_KEYS="t1:" + base64.b64encode(b"for tests only, 32 bytes of key.").decode("ascii"),
        ALLOWED_HOSTS="localhost,127.0.0.1,[::1],testserver",
        LOG_LEVEL="WARNING",
    )
    for name in ("REDIS_URL", "CELERY_BROKER_URL", "HTTPS", "DEBUG"):
        os.environ.pop(name, None)


_surroundings()
