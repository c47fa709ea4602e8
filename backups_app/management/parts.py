"""The restore of a part on the command line: how it is asked for, and what is said of it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from backups_app.models import Restore
from backups_app.services.backups.parts import Choice, OnConflict, choice_of


def add_part_arguments(parser: ArgumentParser) -> None:
    """Declare what says that only a part is to come back."""
    only = "only this part: session:ID, user:ID, project:SLUG or configs; may be said several times"
    parser.add_argument("--only", metavar="PART", action="append", default=[], help=only)
    conflict = "what becomes of a thing of the part whose id is taken (default: skip)"
    parser.add_argument("--on-conflict", choices=list(OnConflict), default=None, help=conflict)
    parser.add_argument(
        "--from-project", metavar="SLUG", default="", help="the project of the backup that has the part"
    )
    parser.add_argument("--into-project", metavar="SLUG", default="", help="the project into which the part comes")
    parser.add_argument("--into-session", metavar="ID", default="", help="another id for the one session")
    parser.add_argument("--dry-run", action="store_true", help="only say what would happen, as without --yes")


def choice_stated(options: dict[str, Any]) -> Choice | None:
    """Return the part that is asked for, or None for the whole. Raises InvalidInput and CommandError."""
    if options["dry_run"] and options["yes"]:
        raise CommandError("--dry-run and --yes contradict each other.")
    into = {"project": options["into_project"], "session_id": options["into_session"]}
    stated = [options["on_conflict"], options["from_project"], *into.values()]
    if not options["only"]:
        if any(stated):
            raise CommandError("--on-conflict, --from-project, --into-project and --into-session are for --only.")
        return None
    if options["replace"] or options["target_url"]:
        raise CommandError("A part comes into this store beside what is there: --replace and --to are for the whole.")
    return choice_of(
        only=options["only"],
        on_conflict=options["on_conflict"] or OnConflict.SKIP,
        from_project=options["from_project"],
        into={name: value for name, value in into.items() if value},
    )


def part_told(restore: Restore) -> str:
    """Return what became, or would become, of the part."""
    report, is_look = restore.report, restore.status == Restore.Status.DRY_RUN
    archive = report["archive"]
    lines = [
        f"Archive {archive['name']} shows {archive['database']} at {archive['made_at'][:16].replace('T', ' ')} UTC."
    ]
    for label, outcomes in report["outcomes"].items():
        told = ", ".join(f"{number:,} {outcome}" for outcome, number in outcomes.items())
        lines.append(f"{label:32}{told}")
    lines += [f"{each['kind']:32}{each['id']} as {each['called']}" for each in report["new_ids"]]
    lines += [f"{label:32}{rows:,} rows of this store give way" for label, rows in report["lost"].items()]
    rows = f"{restore.row_count:,} rows"
    if is_look:
        return "\n".join([*lines, f"{rows} would come in. Nothing was written. Say --yes to do it."])
    return "\n".join(
        [*lines, f"{rows} came in, each table compared with the archive ({report['seconds']['in_all']} s)."]
    )
