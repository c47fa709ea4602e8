"""Tells databases of SQLite, and the files that belong to them, by their names."""

from backups_app.legacy.files import FoundFile, is_file

DATABASE_ENDINGS = (".db", ".sqlite", ".sqlite3")
SIDECAR_ENDINGS = ("-wal", "-shm", "-journal")


def is_sidecar(file: FoundFile) -> bool:
    """Whether the file belongs to a database beside it (and is read together with it)."""
    for ending in SIDECAR_ENDINGS:
        owner = file.path.with_name(file.path.name.removesuffix(ending))
        if file.path.name.endswith(ending) and owner.name.endswith(DATABASE_ENDINGS) and is_file(owner):
            return True
    return False
