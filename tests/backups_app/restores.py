"""Backups and restores as the tests ask for them, and what a store holds, to be compared."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection, connections

from backups_app.archive import ArchiveWriter, Manifest
from backups_app.archive.manifest import FORMAT, FORMAT_VERSION, Database, manifest_read
from backups_app.archive.signatures import key_id
from backups_app.services.backups import backup_create, backup_restore
from backups_app.services.backups.databases import as_default, database_of_url
from backups_app.services.backups.scratch_store import Content, content_of, rows_of
from backups_app.services.backups.snapshots import snapshot, snapshot_of_file
from backups_app.services.backups.tables import archived_models, columns_of, primary_key_of
from config.shared.callers import SYSTEM
from tests.backups_app.archives import SIGNING_KEY, VERIFY_KEY, Made
from tests.conftest import NOW

# A restore is told in the audit, and a backup by an event, after their rows were written and read.
TOLD = ("sessions_app.auditentry", "sessions_app.auditchain", "sessions_app.event")


def create(name: str | None = None, **options: Any) -> Any:
    """Make a backup."""
    return backup_create(**{"name": name, "trigger": "command", "requested_by": "ada", "now": NOW, **options})


def restore(source: Any, **options: Any) -> Any:
    """Restore a backup or a folder."""
    return backup_restore(**{"source": source, "requested_by": "ada", "caller": SYSTEM, "now": NOW, **options})


def content() -> dict[str, Content]:
    """Return what every table of the store holds, but for those in which backups and restores are told."""
    with snapshot() as held:
        models = {model._meta.label_lower: model for model in archived_models()}
        return {label: content_of(held, model) for label, model in models.items() if label not in TOLD}


@contextmanager
def at(url: str) -> Any:
    """Work in another database, in other threads as well: a backup reads in one of its own."""
    there = database_of_url(url)
    before, connections.settings["default"] = connections.settings["default"], there.settings_dict
    try:
        with as_default(there):
            yield
    finally:
        connections.settings["default"] = before


def own_url() -> str:
    """Return the address of the tests' own database."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
    login = quote(given["USER"]) + (f":{quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    return f"{scheme}://{login}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


def made(backup: Any) -> Made:
    """Return a backup's archive as something to be changed."""
    archive = Made(Path(settings.BACKUP_DIR) / backup.location)
    archive.manifest = manifest_read((archive.folder / "manifest.json").read_bytes())
    return archive


def archive_of_file(path: Path, models: Any, folder: Path, migrations: Any = None) -> None:
    """Make an archive of a SQLite file, as the version made it whose tables these are; its migrations may be stated."""
    with snapshot_of_file(path) as held, ArchiveWriter(folder) as writer:
        for model in models:
            table = writer.table(model._meta.label_lower, columns_of(model), primary_key_of(model))
            for rows in rows_of(held, model):
                table.add(rows)
            table.end()
        manifest = Manifest(
            format=FORMAT,
            format_version=FORMAT_VERSION,
            kind="full",
            parents=[],
            name=folder.name,
            sequence=1,
            previous=None,
            app_version="0.0.1",
            migrations=migrations or held.migrations(),
            database=Database("sqlite", "3"),
            snapshot_at="2026-03-14T09:26:53Z",
            signing_key_id=key_id(VERIFY_KEY),
            field_key_ids=[],
            encryption=None,
            tables=writer.tables,
        )
        writer.finish(manifest, SIGNING_KEY)
