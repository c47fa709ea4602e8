"""`manage.py cleanup_sessions`: what the schedule does with sessions every CLEANUP_INTERVAL, now."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from config.shared.commands import LedgerCommand
from sessions_app.models import Project
from sessions_app.services.cleanup import sessions_cleanup
from sessions_app.services.deletion import sessions_purge
from sessions_app.services.external_deletions import external_deletions_run
from sessions_app.services.pace import BACKGROUND_SHARE


class Command(LedgerCommand):
    """Marks expired sessions, releases idle agents, finishes deletions that were asked for; removes nothing else."""

    help = "Mark expired sessions, release idle agents, and finish what deleting a session left to do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what may be said."""
        parser.add_argument("--project", metavar="SLUG", help="only this project (default: all)")
        parser.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Clean up and say what was done."""
        projects = None if options["project"] is None else [_project_pk(options["project"])]
        idle = settings.AGENT_IDLE_SECONDS
        removed = sessions_purge() if projects is None else 0
        elsewhere = external_deletions_run(clock=timezone.now) if projects is None else 0
        done = sessions_cleanup(now=timezone.now(), idle_seconds=idle, projects=projects, share=BACKGROUND_SHARE)
        if options["json"]:
            self.stdout.write(json.dumps({**asdict(done), "removed": removed, "deleted_elsewhere": elsewhere}))
        else:
            self.stdout.write(f"{done.expired} sessions marked as expired, {done.released} idle agents released.")
            self.stdout.write(f"{removed} deleted sessions removed, {elsewhere} deleted in other systems.")


def _project_pk(slug: str) -> int:
    pk = Project.objects.filter(slug=slug).values_list("pk", flat=True).first()
    if pk is None:
        raise CommandError(f"There is no project {slug!r}.")
    return pk
