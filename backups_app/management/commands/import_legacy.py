"""`manage.py import_legacy PATH`: brings in the store of an older system, and reconciles."""

import gc
import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from backups_app.legacy.formats import FORMATS
from backups_app.legacy.locations import Location, location_of
from backups_app.services.legacy_import import ImportReport, import_resume, store_import
from backups_app.services.legacy_import.runner import AUTO
from config.env import env
from config.shared.callers import Caller
from config.shared.errors import LedgerError
from sessions_app.models import Project
from sessions_app.models.accounts import DEFAULT_PROJECT

COLUMNS = ("read", "new", "same", "conflicting", "rejected", "repaired", "skipped")
PRINTED_FINDINGS = 40
OBJECTS_BEFORE_COLLECTION = 200_000
LATEST = 0


class Command(BaseCommand):
    """Brings in an older store. It can be run again at any time: what is there already is counted as the same."""

    help = "Bring in the store of an older system. Running it again brings in only what is new."

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
        parser.add_argument("--dry-run", action="store_true", help="say what would come in, and write nothing")
        parser.add_argument(
            "--resume", nargs="?", type=int, const=LATEST, metavar="RUN",
            help="go on with an interrupted import: this run, or the newest of PATH",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, print the reconciliation, and fail unless it balances."""
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        try:
            report = self._import(project.pk, options)
        except LedgerError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.told(), ensure_ascii=False))
        else:
            self._print(report, dry_run=options["dry_run"])
        if report.status != "completed":
            raise CommandError("The import does not balance: see the counts.")

    def _import(self, project_id: int, options: dict[str, Any]) -> ImportReport:
        caller = Caller("system", "import_legacy", "admin", project_ids=None, project_id=project_id)
        path = None if options["path"] is None else _location(options["path"])
        if path is None and not options["resume"]:
            raise CommandError("Say which store: a path, or the URL of a server.")
        given: dict[str, Any] = {"path": path, "project_id": project_id, "now": timezone.now(), "caller": caller}
        with _seldom_collected(), _bar() as progress:
            if options["resume"] is not None:
                return import_resume(**given, run_id=options["resume"] or None, progress=progress)
            stated: dict[str, Any] = {"source_format": options["format"], "dry_run": options["dry_run"]}
            return store_import(**given, **stated, zone=_zone(options["timezone"]), progress=progress)

    def _print(self, report: ImportReport, *, dry_run: bool) -> None:
        """Plain lines: the counts by kind, the sums, and the first findings."""
        self.stdout.write(f"{'':22}" + "".join(f"{name:>13}" for name in COLUMNS))
        for kind, counts in report.counts_told().items():
            self.stdout.write(f"{kind:22}" + "".join(f"{counts[name]:>13,}" for name in COLUMNS))
        sums = report.sums.told()
        self.stdout.write(
            f"Tokens {sums['total_tokens']:,} (prompt {sums['prompt_tokens']:,}, completion "
            f"{sums['completion_tokens']:,}); reported cost {sums['cost']} USD."
        )
        for finding in report.findings[:PRINTED_FINDINGS]:
            self.stdout.write(f"{finding.level.value}: {finding.place}: {finding.detail}")
        if report.findings_count > PRINTED_FINDINGS:
            self.stdout.write(f"... {report.findings_count} findings in all; the admin shows them under the run.")
        ending = "Nothing was written: this was a dry run." if dry_run else f"Import run {report.run_id}."
        self.stdout.write(f"{ending} {report.duration_seconds:.1f} s.")


def _location(given: Location) -> Location:
    """Where the store is. A password that stands in the environment is in no list of processes."""
    if isinstance(given, Path):
        return given.resolve()
    password = env.str("LEGACY_PASSWORD", default="")
    return given.with_password(password) if password else given


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("Importing"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("import", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


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
