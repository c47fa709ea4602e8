"""`manage.py backup create|list|verify|restore|prune|scan|delete|key`: archives of the whole store by command."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone
from rich.filesize import decimal

from backups_app.archive import ArchiveRefused
from backups_app.archive.signatures import key_id
from backups_app.management.parts import add_part_arguments, choice_stated, part_told
from backups_app.management.progress import progress_shown
from backups_app.management.restores import has_been, would_be
from backups_app.models import Backup, Restore
from backups_app.selectors import backup_standing
from backups_app.services.backups import (
    backup_create,
    backup_delete,
    backup_restore,
    backup_verify,
    backups_prune,
    backups_scan,
    public_key,
)
from backups_app.services.backups.catalogue import Standing
from backups_app.services.backups.parts import Choice, backup_restore_part
from config.shared.callers import Caller
from config.shared.commands import LedgerCommand

CALLER = Caller("system", "manage.py backup", "admin", project_ids=None, project_id=None)
# A foreign archive is none of ours, which is no fault.
FAULTS = (Standing.DAMAGED, Standing.EXCHANGED, Standing.GONE, Standing.UNREADABLE)
Options = dict[str, Any]


class Command(LedgerCommand):
    """Makes, lists, verifies, restores, prunes and deletes backups. The exit code is 0 only when all of it worked."""

    help = "Make, list, verify, restore, prune and delete backups of the whole store."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a backup now, and read it back")
        create.add_argument("name", nargs="?", help="a name of a-z, 0-9, dot, dash, underscore (default: the time)")
        create.add_argument("--fast", action="store_true", help="give way to nobody, whatever BACKUP_GIVES_WAY says")
        listing = actions.add_parser("list", help="list the backups, the newest first")
        verify = actions.add_parser("verify", help="read a backup back in full")
        restore = actions.add_parser("restore", help="make a store what a backup holds")
        restore.add_argument("name", help="the name of a backup, or the folder of an archive from elsewhere")
        restore.add_argument("--replace", action="store_true", help="what is in the store now is lost")
        restore.add_argument(
            "--to", metavar="URL", dest="target_url", default="", help="another database, as DATABASE_URL has it"
        )
        add_part_arguments(restore)
        prune = actions.add_parser("prune", help="remove old backups until MAX_BACKUPS are left")
        scan = actions.add_parser("scan", help="look through BACKUP_DIR, and list archives that are not known yet")
        delete = actions.add_parser("delete", help="remove a backup")
        key = actions.add_parser("key", help="print the public key, which others put into BACKUP_TRUSTED_KEYS")
        for action in (verify, delete):
            action.add_argument("name", help="the name, as `list` shows it")
        for action in (restore, prune, delete):
            action.add_argument("--yes", action="store_true", help="do it; without this it is only told")
        for action in (create, listing, verify, restore, prune, scan, delete, key):
            action.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked; whatever is refused is told in one line."""
        try:
            getattr(self, f"_{options['action']}")(options, timezone.now())
        except ArchiveRefused as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The folder of backups refuses: {error}.") from error

    def _create(self, options: Options, now: datetime) -> None:
        asked = {"name": options["name"], "trigger": Backup.Trigger.COMMAND, "requested_by": CALLER.name}
        gives_way = False if options["fast"] else None
        with progress_shown("Backing up", quiet=options["json"]) as check:
            backup = backup_create(**asked, now=now, check=check, gives_way=gives_way)
        text = f"Backup {backup.name} is made and verified: {backup.row_count:,} rows, {decimal(backup.size_bytes)}."
        self._tell(options, _row(backup), f"{text}\nIt is in {settings.BACKUP_DIR / backup.location}.")

    def _list(self, options: Options, now: datetime) -> None:
        backups = list(Backup.objects.newest_first())
        if options["json"]:
            self.stdout.write(json.dumps([_row(backup) for backup in backups]))
            return
        for backup in backups:
            self.stdout.write(_line(backup))
        self.stdout.write(_standing(now))

    def _verify(self, options: Options, now: datetime) -> None:
        with progress_shown("Verifying", quiet=options["json"]) as check:
            report = backup_verify(backup=_named(options["name"]), now=now, check=check)
        told = {"name": report.name, "good": report.good, "content_read": report.content_read, "rows": report.rows,
                "file": report.file, "reason": report.reason}  # fmt: skip
        how = "every row was read" if report.content_read else "compared by its stored bytes: no identity opens it here"
        good = f"Backup {report.name} is good: {report.rows:,} rows, {how}."
        self._tell(options, told, good if report.good else "")
        if not report.good:
            raise CommandError(f"Backup {report.name} is damaged: {report.file}: {report.reason}.")

    def _restore(self, options: Options, now: datetime) -> None:
        source, dry_run = _source(options["name"]), not options["yes"]
        if (choice := choice_stated(options)) is not None:
            self._restore_part(options, choice, source, dry_run, now)
            return
        asked = {"replace": options["replace"], "dry_run": dry_run, "target_url": options["target_url"]}
        with progress_shown("Looking" if dry_run else "Restoring", quiet=options["json"]) as check:
            restore = backup_restore(
                source=source, **asked, requested_by=CALLER.name, caller=CALLER, now=now, check=check
            )
        self._tell(options, _restore_told(restore), would_be(restore) if dry_run else has_been(restore))

    def _restore_part(
        self, options: Options, choice: Choice, source: Backup | Path, dry_run: bool, now: datetime
    ) -> None:
        with progress_shown("Looking" if dry_run else "Restoring", quiet=options["json"]) as check:
            restore = backup_restore_part(
                source=source,
                choice=choice,
                dry_run=dry_run,
                requested_by=CALLER.name,
                caller=CALLER,
                now=now,
                check=check,
            )
        self._tell(options, _restore_told(restore), part_told(restore))

    def _prune(self, options: Options, now: datetime) -> None:
        names = backups_prune(keep=settings.MAX_BACKUPS, now=now, caller=CALLER, dry_run=not options["yes"])
        done = "Removed" if options["yes"] else "Would remove"
        text = f"{done}: {', '.join(names)}." if names else "Nothing is too much."
        self._tell(options, {"removed" if options["yes"] else "would_remove": names}, text + _say_yes(options, names))

    def _scan(self, options: Options, now: datetime) -> None:
        with progress_shown("Reading", quiet=options["json"]) as check:
            found = backups_scan(now=now, check=check)
        told = [{"name": each.name, "standing": str(each.standing), "reason": each.reason} for each in found]
        lines = [f"{each.name:<24}  {each.standing:<9}  {each.reason}".rstrip() for each in found]
        self._tell(options, told, "\n".join(lines) or f"There is no archive in {settings.BACKUP_DIR}.")
        if bad := [each.name for each in found if each.standing in FAULTS]:
            raise CommandError(f"Not as they should be: {', '.join(bad)}.")

    def _delete(self, options: Options, now: datetime) -> None:
        backup = _named(options["name"])
        backup_delete(backup=backup, caller=CALLER, now=now, dry_run=not options["yes"])
        done = "is removed" if options["yes"] else "would be removed"
        text = f"Backup {backup.name} ({decimal(backup.size_bytes)}) {done}."
        told = {"name": backup.name, "removed": options["yes"]}
        self._tell(options, told, text + _say_yes(options, [backup.name]))

    def _key(self, options: Options, now: datetime) -> None:
        key = public_key()
        self._tell(options, {"public_key": key, "id": key_id(key)}, key)

    def _tell(self, options: Options, told: Any, text: str) -> None:
        shown = json.dumps(told) if options["json"] else text
        if shown:
            self.stdout.write(shown)


def _restore_told(restore: Restore) -> dict[str, Any]:
    names = {"restore": "pk", "status": "status", "target": "target", "rows": "row_count", "report": "report"}
    return {name: getattr(restore, attribute) for name, attribute in names.items()}


def _say_yes(options: Options, names: list[str]) -> str:
    return "" if options["yes"] or not names else " Say --yes to do it."


def _named(name: str) -> Backup:
    backup = Backup.objects.filter(name=name).first()
    if backup is None:
        raise CommandError(f"There is no backup named {name!r}; `manage.py backup list` shows what there is.")
    return backup


def _line(backup: Backup) -> str:
    marks = [word for word in ("encrypted", "protected") if getattr(backup, word)]
    size = (f"{decimal(backup.size_bytes):>9}", f"{backup.row_count:>12,} rows") if backup.row_count else ()
    columns = (f"{backup.name:<24}", f"{backup.status:<8}", f"{backup.started_at:%Y-%m-%d %H:%M} UTC", *size, *marks)
    return "  ".join((*columns, backup.failure)).rstrip()


def _source(name: str) -> Backup | Path:
    """Return the backup of this name, or the folder that it is."""
    folder = Path(name)
    return folder.resolve() if "/" in name or folder.is_dir() else _named(name)


def _standing(now: datetime) -> str:
    standing = backup_standing(now=now)
    if standing.newest is None or standing.age is None:
        return "There is no verified backup yet: `manage.py backup create` makes one."
    late = " That is late." if standing.state == "late" else ""
    failed = f" The last one failed: {standing.last.failure}" if standing.state == "failed" and standing.last else ""
    return f"The newest verified one is {standing.newest.name}, {_age(standing.age)} old.{late}{failed}"


def _age(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} h" if age < timedelta(days=2) else f"{hours / 24:.0f} days"


def _row(backup: Backup) -> dict[str, Any]:
    times = {name: getattr(backup, name) for name in ("started_at", "finished_at", "verified_at", "last_check_at")}
    return {
        "name": backup.name,
        "status": backup.status,
        "sequence": backup.sequence,
        "rows": backup.row_count,
        "bytes": backup.size_bytes,
        "encrypted": backup.encrypted,
        "protected": backup.protected,
        "trigger": backup.trigger,
        "requested_by": backup.requested_by,
        **{name: at.isoformat() if at else None for name, at in times.items()},
        "failure": backup.failure,
    }
