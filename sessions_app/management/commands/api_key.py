"""`manage.py api_key create|list|revoke`: the keys by which agents come in."""

import json
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from config.shared.commands import LedgerCommand
from sessions_app.models import ApiKey, Project
from sessions_app.models.accounts import DEFAULT_PROJECT
from sessions_app.services.api_keys import api_key_create, api_key_revoke


class Command(LedgerCommand):
    """Makes, lists and revokes API keys. A key is printed once, when it is made."""

    help = "Make, list or revoke API keys. A key is shown once, when it is made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the three actions."""
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key and print it once")
        create.add_argument("name", help="what the key is for, such as the agent's name")
        create.add_argument("--role", default=ApiKey.Role.AGENT, choices=ApiKey.Role.values)
        create.add_argument("--expires", type=int, metavar="DAYS", help="days until the key ends (default: never)")
        listing = actions.add_parser("list", help="list the keys of a project")
        revoke = actions.add_parser("revoke", help="make a key useless at once")
        revoke.add_argument("prefix", help="the visible beginning, as `list` shows it")
        for action in (create, listing, revoke):
            action.add_argument("--project", default=DEFAULT_PROJECT, help="slug of the project (default: default)")
            action.add_argument("--json", action="store_true", help="print a machine-readable result")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked."""
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        getattr(self, f"_{options['action']}")(project, options, timezone.now())

    def _create(self, project: Project, options: dict[str, Any], now: datetime) -> None:
        asked = {"name": options["name"], "role": options["role"], "expires_at": _end(options["expires"], now)}
        key, token = api_key_create(project=project, **asked, created_by="command", now=now)
        if options["json"]:
            self.stdout.write(json.dumps({**_row(key), "key": token}))
            return
        self.stdout.write(f"{token}\n")
        self.stderr.write("Keep it now: it is not shown again.")

    def _list(self, project: Project, options: dict[str, Any], now: datetime) -> None:
        keys = [_row(key) for key in ApiKey.objects.filter(project=project).order_by("created_at", "id")]
        if options["json"]:
            self.stdout.write(json.dumps(keys))
            return
        for key in keys:
            self.stdout.write(f"{key['prefix']}  {key['role']:<8}  {_standing(key, now):<8}  {key['name']}")
        if not keys:
            self.stdout.write(f"The project {project.slug} has no keys yet.")

    def _revoke(self, project: Project, options: dict[str, Any], now: datetime) -> None:
        key = ApiKey.objects.filter(project=project, prefix=options["prefix"]).first()
        if key is None:
            raise CommandError(f"The project {project.slug} has no key with the prefix {options['prefix']!r}.")
        revoked = api_key_revoke(key=key, now=now)
        self.stdout.write(json.dumps(_row(revoked)) if options["json"] else f"{revoked.prefix} is revoked.")


def _end(days: int | None, now: datetime) -> datetime | None:
    try:
        return None if days is None else now + timedelta(days=days)
    except OverflowError as error:
        raise CommandError("The days to the key's end are too many for a date.") from error


def _row(key: ApiKey) -> dict[str, Any]:
    times = {name: getattr(key, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    stamps = {name: at.isoformat() if at else None for name, at in times.items()}
    return {"prefix": key.prefix, "name": key.name, "role": key.role, **stamps}


def _standing(key: dict[str, Any], now: datetime) -> str:
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["expires_at"] and datetime.fromisoformat(key["expires_at"]) <= now else "usable"
