"""Processes that make and restore backups in the surroundings of the test."""

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings as configured

from tests.backups_app.restores import own_url

ROOT = Path(__file__).resolve().parents[2]


def work_start(*arguments: str) -> "subprocess.Popen[str]":
    """Start making (`create NAME`) or restoring (`restore NAME`); return when the work itself begins."""
    own = {
        "DATABASE_URL": own_url(),
        "DATA_DIR": str(configured.DATA_DIR),
        "BACKUP_DIR": str(configured.BACKUP_DIR),
        "BACKUP_SIGNING_KEY": configured.BACKUP_SIGNING_KEY,
        "BACKUP_AGE_RECIPIENTS": ",".join(configured.BACKUP_AGE_RECIPIENTS),
        "BACKUP_AGE_IDENTITY_FILE": configured.BACKUP_AGE_IDENTITY_FILE,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ENV_FILE": "",
        "LOG_LEVEL": "CRITICAL",
        "SECRET_KEY": "x" * 50,
        "FIELD_ENCRYPTION_KEYS": ",".join(configured.FIELD_ENCRYPTION_KEYS),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backups_app.backup_work", *arguments],
        cwd=ROOT,
        env={**os.environ, **own},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n", process.stderr.read()
    return process
