"""Handing an archive out: its folder as one tar, piece by piece, told in the audit before the first byte."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backups_app.models import Backup
from backups_app.services.backups.folders import archive_files, archive_folder, folder_check
from config.shared.callers import Caller
from config.shared.errors import Conflict, Unavailable
from sessions_app.services.staff_edits import row_audit

PIECE_BYTES = 1 << 20
_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class HandedOut:
    """A tar that is about to be sent: its name, its exact size in bytes, and its pieces, read as they are sent."""

    name: str
    size: int
    pieces: Iterator[bytes]


def backup_hand_out(*, backup: Backup, caller: Caller, now: datetime) -> HandedOut:
    """Return the archive as a tar, unpacked again by any `tar -x` into a folder that `backup restore` takes.

    Memory stays constant whatever its size. Raises Conflict where there is no archive, Unavailable when the folder of
    archives is away.
    """
    members = _members(backup)
    row_audit(row=backup, verb="download", changes={"name": backup.name}, caller=caller, now=now)
    return HandedOut(f"{backup.name}.tar", _size(members), _pieces(members))


def backup_hand_out_size(*, backup: Backup) -> int:
    """Return how many bytes the tar would have, without handing it out. Raises what `backup_hand_out` raises."""
    return _size(_members(backup))


def _members(backup: Backup) -> list["_Member"]:
    folder_check()
    files = [] if backup.is_running else archive_files(backup.location or backup.name)
    if not files:
        raise Conflict(f"The backup {backup.name} has no archive that could be handed out.")
    folder = archive_folder(backup.location or backup.name)
    return [_Member(path, _header(path, f"{backup.name}/{path.relative_to(folder)}")) for path in files]


def _size(members: list["_Member"]) -> int:
    return sum(member.size for member in members) + len(_END)


class _Member:
    """A file in the tar: its header, its bytes, and zeros up to the next block."""

    def __init__(self, path: Path, header: tarfile.TarInfo) -> None:
        self.path, self.length = path, header.size
        self.head = header.tobuf(tarfile.PAX_FORMAT)
        self.filler = bytes(-header.size % tarfile.BLOCKSIZE)
        self.size = len(self.head) + self.length + len(self.filler)


def _header(path: Path, name: str) -> tarfile.TarInfo:
    header, state = tarfile.TarInfo(name), path.stat()
    header.size, header.mtime, header.mode = state.st_size, int(state.st_mtime), 0o600
    return header


def _pieces(members: list[_Member]) -> Iterator[bytes]:
    for member in members:
        yield member.head
        left = member.length
        with member.path.open("rb") as file:
            while left:
                piece = file.read(min(PIECE_BYTES, left))
                if not piece:
                    # The answer ends short of its Content-Length, which every client notices.
                    raise Unavailable(f"{member.path.name} is shorter than it was.")
                left -= len(piece)
                yield piece
        yield member.filler
    yield _END
