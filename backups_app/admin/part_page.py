"""The page by which a part of a backup comes back: choose it, look at what would happen, then have it done."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from backups_app.admin.restore_page import LOOK_HOLDS
from backups_app.admin.row_tables import rows_table
from backups_app.models import Backup, Restore
from backups_app.selectors import job_at_work
from backups_app.services.backups.parts import PART_OF_STORE, Choice, Kind, OnConflict, choice_of, part_look
from config.shared.admin.callers import caller_of_staff, project_choices
from config.shared.errors import InvalidInput
from sessions_app.services.jobs import job_enqueue

KIND = "backup.restore_part"
KINDS = (
    (Kind.SESSION, gettext_lazy("one session")),
    (Kind.USER, gettext_lazy("one user, with provider keys and sessions")),
    (Kind.CONFIGS, gettext_lazy("settings and workflows")),
    (Kind.PROJECT, gettext_lazy("a whole project")),
)
WAYS = (
    (OnConflict.SKIP, gettext_lazy("what is there stays")),
    (OnConflict.REPLACE, gettext_lazy("what is there is replaced")),
    (OnConflict.NEW_ID, gettext_lazy("it comes beside it, under a new id")),
)
OUTCOMES = {
    "new": gettext_lazy("new"),
    "skipped": gettext_lazy("stays out: it is there"),
    "replaced": gettext_lazy("replaced"),
    "new-id": gettext_lazy("under a new id"),
}
# Where a fault of a request stands in the form.
FIELDS = {
    "/only": "name",
    "/from_project": "from_project",
    "/into/project": "project",
    "/into/session_id": "session_id",
}


class PartForm(forms.Form):
    """Which part, and what becomes of that which is there."""

    kind = forms.ChoiceField(label=gettext_lazy("what"), choices=KINDS, widget=UnfoldAdminSelectWidget)
    name = forms.CharField(label=gettext_lazy("its id"), required=False, strip=False, widget=UnfoldAdminTextInputWidget)
    on_conflict = forms.ChoiceField(
        label=gettext_lazy("where an id is taken"), choices=WAYS, widget=UnfoldAdminSelectWidget
    )
    from_project = forms.CharField(
        label=gettext_lazy("from the project"), required=False, widget=UnfoldAdminTextInputWidget
    )
    project = forms.ChoiceField(label=gettext_lazy("into the project"), required=False, widget=UnfoldAdminSelectWidget)
    session_id = forms.CharField(
        label=gettext_lazy("another session id"), required=False, widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, request: HttpRequest, data: Any) -> None:
        super().__init__(data)
        slugs = [slug for _pk, slug in project_choices(request)]
        self.fields["project"].choices = [("", _("the one it was in")), *((slug, slug) for slug in slugs)]
        self.fields["name"].help_text = _("Of the session or the user; of a project its slug. Settings need none.")
        self.fields["from_project"].help_text = _("Its slug, where several projects of the backup have it.")
        self.fields["session_id"].help_text = _("Only for one session that is to have another id than it had.")

    def choice(self, backup: Backup) -> Choice | None:
        """Return the part that is asked for; None where something is wrong, which stands at its field then."""
        if not self.is_valid():
            return None
        given = self.cleaned_data
        name = f":{given['name']}" if given["kind"] != Kind.CONFIGS else ""
        into = {each: given[each] for each in ("project", "session_id") if given[each]}
        try:
            choice = choice_of(
                only=[f"{given['kind']}{name}"],
                on_conflict=given["on_conflict"],
                from_project=given["from_project"],
                into=into,
            )
            part_look(backup=backup, choice=choice)
        except InvalidInput as refusal:
            for error in refusal.errors:
                self.add_error(FIELDS.get(error.pointer.removesuffix("/0")), error.detail)
            return None
        return choice


def part_page(request: HttpRequest, backup_admin: Any, backup: Backup) -> HttpResponse:
    """Show the form and the newest look at a part of this backup; a POST asks for a look, or for the restore itself."""
    look = _newest(backup, Restore.Status.DRY_RUN)
    form = PartForm(request, request.POST if request.POST.get("step") == "look" else None)
    if request.method == "POST":
        answer = _posted(request, backup, look, form)
        if answer is not None:
            return answer
    job = job_at_work(kind=KIND, name=backup.name)
    failed = _newest(backup, Restore.Status.FAILED)
    context = {
        **backup_admin.admin_site.each_context(request),
        "title": _("Restore a part of %s") % backup,
        "opts": Backup._meta,
        "original": backup,
        "backup": backup,
        "form": form,
        "job": job,
        "job_list": [job] if job else [],
        "failed": failed if failed and (look is None or failed.pk > look.pk) else None,
        **(_seen(look) if look else {}),
    }
    return TemplateResponse(request, "admin/backups/part.html", context)


def _newest(backup: Backup, status: str) -> Restore | None:
    """Return the newest look at a part, or failure, that still says how it is: nothing was done since."""
    since = timezone.now() - LOOK_HOLDS
    tries = Restore.objects.filter(backup_name=backup.name, target=PART_OF_STORE, started_at__gte=since)
    newest = tries.filter(status=status).newest_first().first()
    done = tries.filter(status=Restore.Status.COMPLETED).newest_first().first()
    return newest if newest and (done is None or newest.pk > done.pk) else None


def _seen(look: Restore) -> dict[str, Any]:
    report = look.report
    outcomes: dict[Any, dict[str, int]] = {}
    for label, numbers in report["outcomes"].items():
        for outcome, number in numbers.items():
            outcomes.setdefault(OUTCOMES.get(outcome, outcome), {})[label] = number
    return {
        "look": look,
        "asked": ", ".join(report["part"]["only"]),
        "way": dict(WAYS)[OnConflict(report["part"]["on_conflict"])],
        "into": report["part"].get("into", {}),
        "outcomes": rows_table(outcomes),
        "table": rows_table({_("come in"): report["tables"], _("give way"): report["lost"]}),
        "new_ids": report["new_ids"],
        "lost": sum(report["lost"].values()),
        "made_at": report["archive"]["made_at"][:16].replace("T", " "),
    }


def _posted(request: HttpRequest, backup: Backup, look: Restore | None, form: PartForm) -> HttpResponse | None:
    """Ask for what was posted and go on; None where the form is shown again with what is wrong in it."""
    again = HttpResponseRedirect(reverse("admin:backups_app_backup_restore_part", args=[backup.pk]))
    if request.POST.get("step") == "look":
        choice = form.choice(backup)
        if choice is None:
            return None
        _ask(request, backup, choice.told(), dry_run=True)
        return again
    if look is None or request.POST.get("look") != str(look.pk):
        text = _("There is a newer look, or this one is too old. Nothing was done; please look again.")
        messages.error(request, text)
        return again
    if look.report["lost"] and request.POST.get("name", "").strip() != backup.name:
        messages.error(request, _("That is not its name. Nothing was done."))
        return again
    _ask(request, backup, cast("dict[str, Any]", look.report["part"]), dry_run=False)
    messages.success(request, _("The restore has been asked for."))
    return HttpResponseRedirect(reverse("admin:backups_app_restore_changelist"))


def _ask(request: HttpRequest, backup: Backup, asked: dict[str, Any], *, dry_run: bool) -> None:
    arguments = {"name": backup.name, "dry_run": dry_run, **asked}
    job_enqueue(kind=KIND, arguments=arguments, now=timezone.now(), caller=caller_of_staff(request))
