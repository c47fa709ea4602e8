"""The process of the backups' benchmark: `python -m tests.bench.archiving create|restore NAME [URL]`.

It tells when it began and ended, and its peak of memory in MB.
"""

import resource
import sys
import time

from django.utils import timezone


def _create(name: str) -> None:
    from backups_app.services.backups import backup_create

    backup_create(name=name, trigger="command", requested_by="", now=timezone.now())


def _restore(name: str, url: str) -> None:
    from backups_app.models import Backup
    from backups_app.services.backups import backup_restore
    from config.shared.callers import SYSTEM

    source = Backup.objects.get(name=name)
    backup_restore(source=source, target_url=url, requested_by="", caller=SYSTEM, now=timezone.now())


if __name__ == "__main__":
    import django

    django.setup()
    start = time.time()
    {"create": _create, "restore": _restore}[sys.argv[1]](*sys.argv[2:])
    print(start, time.time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
