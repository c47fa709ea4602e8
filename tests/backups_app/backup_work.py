"""A process that makes or restores a backup: `python -m tests.backups_app.backup_work create|restore NAME`."""

import sys

import django

django.setup()

from django.utils import timezone  # noqa: E402

from backups_app.models import Backup  # noqa: E402
from backups_app.services.backups import backup_create, backup_restore  # noqa: E402
from config.shared.callers import SYSTEM  # noqa: E402

if __name__ == "__main__":
    work, name = sys.argv[1:]
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    if work == "create":
        backup_create(name=name, trigger="command", requested_by="", now=timezone.now())
    else:
        source = Backup.objects.get(name=name)
        backup_restore(source=source, replace=True, requested_by="", caller=SYSTEM, now=timezone.now())
    sys.stdout.write("done\n")
