"""The front page of the admin: what the system holds, whether it is healthy, what happened last, what to do next."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from analytics_app.selectors.holdings import holdings
from backups_app.models import ImportRun
from backups_app.models.backups import sees_whole_store
from backups_app.selectors import backup_standing
from config.readiness import readiness
from config.shared.admin.callers import caller_of_staff
from config.shared.admin.numbers import shown_number
from sessions_app.models import Session

SESSIONS_SHOWN = 8
RUNS_SHOWN = 5


def front_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the front page shows to its context (Unfold's DASHBOARD_CALLBACK)."""
    user = request.user
    sessions = newest_sessions(request) if user.has_perm("sessions_app.view_session") else []
    return {
        **context,
        "title": _("Overview"),
        "holdings": held(request),
        "backups": backup_standing(now=timezone.now()) if sees_backups(request) else None,
        "health": health() if user.is_superuser else None,
        "sessions": sessions,
        "sees_sessions": user.has_perm("sessions_app.view_session"),
        "import_runs": newest_runs(request) if user.has_perm("backups_app.view_importrun") else [],
        "sees_imports": user.has_perm("backups_app.view_importrun"),
        "api_root": request.build_absolute_uri("/api"),
    }


def health() -> dict[str, Any]:
    """Return what the readiness page says, with its words in the reader's language; details are as the checks tell."""
    report = readiness()
    names = {
        "database": _("database"),
        "migrations": _("migrations"),
        "sqlite": "SQLite",
        "cache": _("cache"),
        "broker": _("broker"),
        "disk": _("disk"),
        "workers": _("workers"),
        "backups": _("backups"),
    }
    words = {"ok": _("ok"), "degraded": _("degraded"), "failed": _("failed")}
    checks = [
        {**check, "name": names.get(name, name), "word": words.get(check["status"], check["status"])}
        for name, check in report["checks"].items()
    ]
    return {"status": report["status"], "word": words.get(report["status"], report["status"]), "checks": checks}


def sees_backups(request: HttpRequest) -> bool:
    """Return whether the member of staff may look at backups."""
    return bool(request.user.has_perm("backups_app.view_backup")) and sees_whole_store(caller_of_staff(request))


def held(request: HttpRequest) -> list[dict[str, Any]]:
    """Return how much of each kind there is, for the kinds that the member of staff may look at."""
    shown = []
    for holding in holdings(caller=caller_of_staff(request)):
        app, name = holding.model._meta.app_label, holding.model._meta.model_name
        if request.user.has_perm(f"{app}.view_{name}"):
            link = reverse(f"admin:{app}_{name}_changelist")
            title = holding.model._meta.verbose_name_plural
            shown.append({"title": title, "link": link, "count": shown_number(holding.count), "exact": holding.exact})
    return shown


def newest_sessions(request: HttpRequest) -> list[Session]:
    """Return the sessions that were made last."""
    rows = Session.objects.visible_to(caller_of_staff(request)).select_related("activity")
    columns = ("session_id", "title", "user_id", "status", "created_at", "activity__message_count")
    return list(rows.only(*columns).order_by("-pk")[:SESSIONS_SHOWN])


def newest_runs(request: HttpRequest) -> list[ImportRun]:
    """Return the last import runs."""
    return list(ImportRun.objects.visible_to(caller_of_staff(request)).order_by("-pk")[:RUNS_SHOWN])
