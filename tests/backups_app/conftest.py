"""A folder for archives, the key that signs them, and older stores that come in."""

import pytest

from backups_app.services.legacy_import import store_import
from config.shared.callers import Caller
from tests.backups_app.archives import SIGNING_KEY
from tests.backups_app.stores import IDENTITY


@pytest.fixture
def archives(store, settings, tmp_path):
    """Archives are made in a folder of the test, and signed by the key of the tests; the folder is returned."""
    settings.BACKUP_DIR = tmp_path / "backups"
    settings.BACKUP_SIGNING_KEY = SIGNING_KEY
    return settings.BACKUP_DIR


@pytest.fixture
def encrypted(archives, settings, tmp_path):
    """They are encrypted, too, and opened here."""
    (tmp_path / "identity").write_text(f"# made for a test\n{IDENTITY}\n")
    settings.BACKUP_AGE_RECIPIENTS = [str(IDENTITY.to_public())]
    settings.BACKUP_AGE_IDENTITY_FILE = str(tmp_path / "identity")
    return archives


@pytest.fixture
def bring_in(project, now):
    """Import a folder or a file into the default project."""
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project.pk)

    def run(path, **options):
        return store_import(path=path, project_id=project.pk, now=now, caller=caller, **options)

    return run
