"""A look into an archive's lists before a job is asked for: what it does not hold is said at once."""

from collections.abc import Iterator
from typing import Any

from backups_app.archive import Archive, ArchiveRefused
from backups_app.models import Backup
from backups_app.services.backups.parts.choice import Choice, Kind
from backups_app.services.backups.restore import archive_opened
from config.shared.errors import Conflict, FieldError, InvalidInput, Unavailable

# Longer lists take longer than a request may: then the job says it.
LISTS_AT_MOST = 64 * 1024 * 1024
_LISTS = {
    Kind.SESSION: (("sessions_app.session", "session_id"),),
    Kind.USER: (("sessions_app.userconfig", "user_id"), ("sessions_app.session", "user_id")),
    Kind.PROJECT: (("sessions_app.project", "slug"),),
    Kind.CONFIGS: (),
}


def part_look(*, backup: Backup, choice: Choice) -> None:
    """Raise InvalidInput, naming the places in the request, for what the backup does not hold.

    Where the archive cannot be read, or its lists are too long for that, nothing is said: the restore will.
    """
    try:
        archive = archive_opened(backup)
        absent = [asked for asked in choice.only if asked.kind is not Kind.CONFIGS and not _holds(archive, asked)]
    except (ArchiveRefused, Conflict, Unavailable, OSError):
        return
    if absent:
        told = [FieldError(each.pointer, f"The backup holds no {each.kind} {each.name!r}.") for each in absent]
        raise InvalidInput(told)


def _holds(archive: Archive, asked: Any) -> bool:
    return any(asked.name in values for values in _values(archive, asked.kind))


def _values(archive: Archive, kind: Kind) -> Iterator[set[Any]]:
    for label, column in _LISTS[kind]:
        table = archive.manifest.table(label)
        if table is None:
            continue
        if sum(part.bytes for part in table.files) > LISTS_AT_MOST:
            raise Conflict("The list is too long to be read in passing.")
        place = [each.name for each in table.columns].index(column)
        for rows in archive.rows(table):
            yield {row[place] for row in rows}
