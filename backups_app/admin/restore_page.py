"""The page before a restore: a look says what would be lost, and only who has seen it and types the name goes on."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from backups_app.admin.row_tables import rows_table
from backups_app.models import Backup, Restore
from backups_app.selectors import job_at_work
from backups_app.services.backups.tables import FURNISHED
from config.shared.admin.callers import caller_of_staff
from sessions_app.services.jobs import job_enqueue

# What a look has seen may be otherwise after a while.
LOOK_HOLDS = timedelta(hours=1)
KIND, OWN_STORE = "backup.restore", "this store"


def restore_page(request: HttpRequest, backup_admin: Any, backup: Backup) -> HttpResponse:
    """Show the newest look at a restore of this backup; a POST asks for a look, or for the restore itself."""
    look = _newest_look(backup)
    if request.method == "POST":
        return _posted(request, backup, look)
    job = job_at_work(kind=KIND, name=backup.name)
    context = {
        **backup_admin.admin_site.each_context(request),
        "title": _("Restore %s") % backup,
        "opts": Backup._meta,
        "original": backup,
        "backup": backup,
        "job": job,
        "job_list": [job] if job else [],
        "failed": _newest_failure(backup, look),
        **(_seen(look) if look else {}),
    }
    return TemplateResponse(request, "admin/backups/restore.html", context)


def _newest_look(backup: Backup) -> Restore | None:
    since = timezone.now() - LOOK_HOLDS
    looks = Restore.objects.filter(backup_name=backup.name, target=OWN_STORE, started_at__gte=since)
    return looks.filter(status=Restore.Status.DRY_RUN).newest_first().first()


def _newest_failure(backup: Backup, look: Restore | None) -> Restore | None:
    """Return the last try that failed after the look."""
    since = look.started_at if look else timezone.now() - LOOK_HOLDS
    tries = Restore.objects.filter(backup_name=backup.name, target=OWN_STORE, started_at__gt=since)
    failed = tries.filter(status=Restore.Status.FAILED)
    return failed.newest_first().first()


def _seen(look: Restore) -> dict[str, Any]:
    there = look.report.get("there") or {}
    archived = {label: rows for label, rows in look.report["tables"].items() if label not in FURNISHED}
    checks = look.report["checks"]
    return {
        "look": look,
        "there": sum(there.values()),
        "table": rows_table({_("there now"): there, _("in the archive"): archived}),
        "findings": {code: number for code, number in checks["findings"].items() if number},
        "brought_up": look.report["brought_up_by"],
        "made_at": look.report["archive"]["made_at"][:16].replace("T", " "),
    }


def _posted(request: HttpRequest, backup: Backup, look: Restore | None) -> HttpResponse:
    again = HttpResponseRedirect(reverse("admin:backups_app_backup_restore", args=[backup.pk]))
    if request.POST.get("step") == "look":
        _ask(request, backup, dry_run=True)
        return again
    if look is None or request.POST.get("look") != str(look.pk):
        messages.error(
            request, _("There is a newer look, or this one is too old. Nothing was done; please look again.")
        )
        return again
    if request.POST.get("name", "").strip() != backup.name:
        messages.error(request, _("That is not its name. Nothing was done."))
        return again
    _ask(request, backup, replace=bool(look.report.get("there")))
    text = _("The restore has been asked for. When it is done everybody logs in again, as it was in the backup.")
    messages.warning(request, text)
    return HttpResponseRedirect(reverse("admin:backups_app_restore_changelist"))


def _ask(request: HttpRequest, backup: Backup, **arguments: bool) -> None:
    caller = caller_of_staff(request)
    job_enqueue(kind=KIND, arguments={"name": backup.name, **arguments}, now=timezone.now(), caller=caller)
