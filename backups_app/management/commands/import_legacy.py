"""`manage.py import_legacy PATH`: brings in the store of an older system, and reconciles."""

import gc
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError
from django.utils import timezone

from backups_app.legacy.formats import FORMATS
from backups_app.legacy.locations import Location, location_of
from backups_app.management.import_lines import report_lines, undo_lines
from backups_app.management.import_progress import shown
from backups_app.services.import_undo import import_undo
from backups_app.services.legacy_import import ImportReport, import_resume, store_import
from backups_app.services.legacy_import.conflicts import OnConflict
from backups_app.services.legacy_import.options import ImportOptions
from backups_app.services.legacy_import.runner import AUTO
from config.env import env
from config.shared.callers import Caller
from config.shared.commands import LedgerCommand
from sessions_app.models import Project
from sessions_app.models.accounts import DEFAULT_PROJECT

PRINTED_OBSTACLES = 5
OBJECTS_BEFORE_COLLECTION = 200_000
LATEST = 0


class Command(LedgerCommand):
    """Brings in an older store. It can be run again at any time: what is there already is counted as the same."""

    help = "Bring in the store of an older system. Running it again brings in only what is new."
    # Those of Django load every address and admin page first.
    requires_system_checks = ["agentledger"]

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "path",
            type=location_of,
            nargs="?",
            help="folder of the store, its one file, or the URL of a server (its password may be in LEGACY_PASSWORD)",
        )
        parser.add_argument("--format", default=AUTO, choices=(AUTO, *FORMATS), help="default: recognised by itself")
        parser.add_argument("--project", default=DEFAULT_PROJECT, help="slug of the project (default: default)")
        parser.add_argument("--timezone", default="UTC", help="zone of times that name none (default: UTC)")
        parser.add_argument(
            "--map-status", action="append", default=[], metavar="WORD=STATUS",
            help="what a word for a session's status means; may be given several times",
        )  # fmt: skip
        parser.add_argument(
            "--on-conflict", default=OnConflict.KEEP, choices=[each.value for each in OnConflict],
            help="when an id is stored with another content: keep the stored one (default), replace it, or keep both",
        )  # fmt: skip
        parser.add_argument(
            "--report", type=Path, metavar="FILE", help="where the report goes (default: DATA_DIR/reports)"
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="say what would come in, and write nothing; SQLite needs room for a copy of the store",
        )
        parser.add_argument(
            "--resume", nargs="?", type=int, const=LATEST, metavar="RUN",
            help="go on with an interrupted import: this run, or the newest of PATH (a server is simply read anew)",
        )  # fmt: skip
        parser.add_argument(
            "--undo",
            type=int,
            metavar="RUN",
            help="take out what this run alone has brought; only says so without --yes",
        )
        parser.add_argument("--yes", action="store_true", help="really take it out")
        parser.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, print the reconciliation, and fail unless it balances and the source could be read to its end."""
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        caller = Caller("system", "import_legacy", "admin", project_ids=None, project_id=project.pk)
        given: dict[str, Any] = {"project_id": project.pk, "now": timezone.now(), "caller": caller}
        if options["undo"] is not None:
            self._undo(given, options)
        else:
            self._import(given, options)

    def _undo(self, given: dict[str, Any], options: dict[str, Any]) -> None:
        report = import_undo(**given, run_id=options["undo"], dry_run=not options["yes"])
        if options["json"]:
            self.stdout.write(json.dumps(report.told(), ensure_ascii=False))
        else:
            for line in undo_lines(report):
                self.stdout.write(line)
        if report.obstacles:
            raise CommandError(f"Nothing was taken out. In the way: {'; '.join(report.obstacles[:PRINTED_OBSTACLES])}")

    def _import(self, given: dict[str, Any], options: dict[str, Any]) -> None:
        report = self._imported(given, options)
        if options["json"]:
            self.stdout.write(json.dumps(report.told(), ensure_ascii=False))
        else:
            for line in report_lines(report, dry_run=options["dry_run"]):
                self.stdout.write(line)
        if report.fault:
            raise CommandError(report.fault)

    def _imported(self, given: dict[str, Any], options: dict[str, Any]) -> ImportReport:
        path = None if options["path"] is None else _location(options["path"])
        given |= {"path": path, "report_to": options["report"]}
        with _seldom_collected(), shown(sys.stderr) as progress:
            if options["resume"] is not None:
                return import_resume(**given, run_id=options["resume"] or None, progress=progress)
            if path is None:
                raise CommandError("Say which store, by its path or the URL of its server.")
            stated: dict[str, Any] = {"source_format": options["format"], "dry_run": options["dry_run"]}
            return store_import(**given, **stated, options=_chosen(options), progress=progress)


def _chosen(options: dict[str, Any]) -> ImportOptions:
    words = dict(word.rpartition("=")[::2] for word in options["map_status"])
    if "" in words:
        raise CommandError("--map-status wants WORD=STATUS, such as done=completed.")
    return ImportOptions(_zone(options["timezone"]), words, OnConflict(options["on_conflict"]))


def _location(given: Location) -> Location:
    """Where the store is. A password that stands in the environment is in no list of processes."""
    if isinstance(given, Path):
        return given.resolve()
    password = env.str("LEGACY_PASSWORD", default="")
    return given.with_password(password) if password else given


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for unreachable objects more seldom: looking through what lives for a batch costs a seventh of an import."""
    usual = gc.get_threshold()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CommandError(f"There is no time zone {name!r}.") from error
