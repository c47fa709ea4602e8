"""Settings and workflows as the YAML tree of document 000: written to a folder, or brought in from one."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from config.shared.callers import SYSTEM
from config.shared.commands import LedgerCommand
from sessions_app.models import Project
from sessions_app.services.config_trees import MOST_BYTES, MOST_FILES, Tree, configs_export, configs_import


class Command(LedgerCommand):
    """`configs export DIR` and `configs import DIR`."""

    help = "Exports settings and workflows of a project as YAML files, or imports them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the action, the folder and the project."""
        parser.add_argument("action", choices=["export", "import"])
        parser.add_argument("folder", type=Path)
        parser.add_argument("--project", default="default")
        parser.add_argument("--dry-run", action="store_true", help="say what an import would do, and do nothing")
        parser.add_argument("--with-secrets", action="store_true", help="export secrets in clear; the audit tells it")
        parser.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do one of both. Raises CommandError."""
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise CommandError(f"There is no project {options['project']!r}.")
        asked = {"project_id": project.pk, "now": timezone.now(), "caller": SYSTEM}
        try:
            if options["action"] == "export":
                told = self._export(options["folder"], reveal=options["with_secrets"], **asked)
            else:
                told = self._import(options["folder"], dry_run=options["dry_run"], **asked)
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(told) if options["as_json"] else "\n".join(f"{k}: {v}" for k, v in told.items()))

    @staticmethod
    def _export(folder: Path, **asked: Any) -> dict[str, Any]:
        if folder.exists() and any(folder.iterdir()):
            raise CommandError(f"The folder {folder} is not empty.")
        tree = configs_export(**asked)
        for name, data in tree.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Settings are for their owner's eyes, the more so with secrets.
            path.touch(mode=0o600)
            path.write_bytes(data)
        return {"files": len(tree), "folder": str(folder)}

    @staticmethod
    def _import(folder: Path, **asked: Any) -> dict[str, Any]:
        if not folder.is_dir():
            raise CommandError(f"There is no folder {folder}.")
        return configs_import(tree=_read(folder), **asked).told()


def _read(folder: Path) -> Tree:
    """Return the YAML files below a folder by their path; links are not followed, and sizes are bounded."""
    tree: Tree = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".yaml", ".yml") or path.is_symlink() or not path.is_file():
            continue
        if path.stat().st_size > MOST_BYTES or len(tree) >= MOST_FILES:
            raise CommandError(f"Too much: at most {MOST_FILES} files of {MOST_BYTES} bytes ({path}).")
        tree[path.relative_to(folder).as_posix()] = path.read_bytes()
    if not tree:
        raise CommandError(f"There are no YAML files in {folder}.")
    return tree
