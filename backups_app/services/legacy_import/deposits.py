"""Stores that staff bring: files that they upload, and what lies in IMPORT_DIR; looked at first, then brought in."""

import re
import secrets
import shutil
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from backups_app.legacy.files import Unreadable
from backups_app.legacy.formats import detect
from backups_app.legacy.packages import is_package, unpack
from backups_app.models import ImportRun
from backups_app.services.legacy_import.options import ImportOptions
from backups_app.services.legacy_import.report import ImportReport
from backups_app.services.legacy_import.runner import AUTO, Progress, import_resume, store_import
from config.shared.callers import Caller
from config.shared.errors import InvalidInput, NotFound, Unavailable

UPLOADS = "imports"
RECEIVED = "received"
KEPT_FOR = timedelta(days=7)
FINDINGS_KEPT = 200
NAMES_SHOWN = 50
_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_NAME_BYTES = 200


def upload_keep(*, name: str, pieces: Iterable[bytes]) -> str:
    """Keep a file that somebody sends, and return the token under which it lies. Nothing of it is looked at yet.

    Raises InvalidInput for a name that cannot be that of a file.
    """
    if name in ("", ".", "..") or set(name) & set("/\\\x00") or len(name.encode()) > _NAME_BYTES:
        raise InvalidInput.at("/file", _("A file cannot be called that."))
    token = secrets.token_hex(16)
    folder = _upload(token) / RECEIVED
    folder.mkdir(mode=0o700, parents=True)
    with (folder / name).open("xb") as file:
        for piece in pieces:
            file.write(piece)
    return token


def uploads_prune(*, now: datetime) -> int:
    """Remove uploads of more than seven days ago, and return how many; nobody will bring them in any more."""
    root, removed = settings.DATA_DIR / UPLOADS, 0
    for folder in root.iterdir() if root.is_dir() else ():
        if datetime.fromtimestamp(folder.stat().st_mtime, UTC) < now - KEPT_FOR:
            shutil.rmtree(folder)
            removed += 1
    return removed


def import_dir_names() -> list[str] | None:
    """Return the first names in IMPORT_DIR; None where it is not set."""
    if settings.IMPORT_DIR is None:
        return None
    root: Path = settings.IMPORT_DIR
    return sorted(path.name for path in root.iterdir())[:NAMES_SHOWN] if root.is_dir() else []


def deposit_path(*, upload: str | None = None, path: str | None = None) -> Path:
    """Return where a store lies: an upload by its token, or a path below IMPORT_DIR. Packages are unpacked beside.

    Raises InvalidInput where nothing is there, the path leads outside, or the package is not a good one.
    """
    if upload is None:
        return _below_import_dir(path or "")
    received = _received(upload)
    return _store_in(_unpacked(_upload(upload), received)) if is_package(received.name) else received


def deposit_import(
    *,
    upload: str | None,
    path: str | None,
    project_id: int,
    source_format: str = AUTO,
    zone: str = "UTC",
    dry_run: bool,
    resumes: bool = False,
    now: datetime,
    caller: Caller,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Look at a store that was brought (`dry_run`), or bring it in; return the report with its first findings.

    With `resumes` an interrupted import of the same store is gone on with. An upload that came in is removed. Raises
    InvalidInput as `deposit_path` does, and for a store of no known format.
    """
    place = deposit_path(upload=upload, path=path)
    called = path or f"{_received(upload or '').name} (upload {(upload or '')[:8]})"
    given: dict[str, Any] = {"project_id": project_id, "source": called, "now": now, "caller": caller}
    try:
        report = _resumed(place, progress, given) if resumes and not dry_run else None
        if report is None:
            report = store_import(
                path=place,
                source_format=source_format,
                options=ImportOptions(zone=ZoneInfo(zone)),
                dry_run=dry_run,
                # What is taken back again would take the word of how far it is with it.
                progress=None if dry_run else progress,
                **given,
            )
    except OSError as error:
        # It would name a file by its whole path on the server.
        detail = _("%(store)s could not be brought in: %(why)s.") % {"store": called, "why": error.strerror}
        raise Unavailable(detail) from error
    if upload is not None and not dry_run and report.status == ImportRun.Status.COMPLETED:
        shutil.rmtree(_upload(upload))
    told = report.told()
    return {**told, "source": called, "findings": told["findings"][:FINDINGS_KEPT]}


def _resumed(place: Path, progress: Progress | None, given: dict[str, Any]) -> ImportReport | None:
    """Go on with the first attempt; None where that had ended before it began."""
    try:
        return import_resume(path=place, progress=progress, **given)
    except NotFound:
        return None


def _upload(token: str) -> Path:
    if not _TOKEN.fullmatch(token):
        raise InvalidInput.at("/file", _("The upload is not there any more; send it again."))
    root: Path = settings.DATA_DIR
    return root / UPLOADS / token


def _received(token: str) -> Path:
    """The file that was sent. Raises InvalidInput where it is not there."""
    folder = _upload(token) / RECEIVED
    received = next(folder.iterdir(), None) if folder.is_dir() else None
    if received is None:
        raise InvalidInput.at("/file", _("The upload is not there any more; send it again."))
    return received


def _below_import_dir(path: str) -> Path:
    if settings.IMPORT_DIR is None:
        raise InvalidInput.at("/path", _("No folder to import from is set (IMPORT_DIR)."))
    root: Path = settings.IMPORT_DIR.resolve()
    try:
        found = (root / path).resolve(strict=True)
        inside = found.is_relative_to(root) and found != root
    except (OSError, ValueError, RuntimeError):
        inside = False
    if not inside:
        raise InvalidInput.at("/path", _("There is nothing called %(path)s below the folder.") % {"path": repr(path)})
    if is_package(found.name) and found.is_file():
        raise InvalidInput.at("/path", _("Unpack %(path)s first, or upload it.") % {"path": repr(path)})
    return found


def _unpacked(folder: Path, package: Path) -> Path:
    """The folder into which the package is unpacked, which happens once."""
    unpacked = folder / "unpacked"
    if not unpacked.is_dir():
        begun = folder / "unpacking"
        shutil.rmtree(begun, ignore_errors=True)
        try:
            unpack(package, begun)
        except Unreadable as error:
            shutil.rmtree(begun, ignore_errors=True)
            raise InvalidInput.at("/file", str(error)) from error
        begun.rename(unpacked)
    return unpacked


def _store_in(folder: Path) -> Path:
    """The store in what was unpacked: people pack a folder as often as what is in it."""
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir() and detect(folder) is None:
        return _store_in(inside[0])
    return folder
