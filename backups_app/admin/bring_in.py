"""The pages by which staff bring in an older store: choose it, look at what would happen, then have it done."""

from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import forms
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from backups_app.admin.counts import counts_as_table
from backups_app.legacy.formats import FORMATS
from backups_app.models import ImportFinding, ImportRun
from backups_app.services.legacy_import import import_dir_names, upload_keep
from backups_app.services.legacy_import.runner import AUTO
from config.shared.admin.callers import caller_of_staff, project_choices
from config.shared.errors import InvalidInput
from sessions_app.models import Job
from sessions_app.services.jobs import job_enqueue, job_enqueue_once

KIND = "imports.bring_in"
FINDINGS_SHOWN = 50
SECONDS_BETWEEN_LOOKS = 2


class StoreForm(forms.Form):
    """Which store, into which project, and how it is to be read."""

    project = forms.ChoiceField(label=_("project"), widget=UnfoldAdminSelectWidget)
    file = forms.FileField(label=_("file"), required=False, widget=UnfoldAdminFileFieldWidget)
    path = forms.CharField(label=_("or a path on the server"), required=False, widget=UnfoldAdminTextInputWidget)
    source_format = forms.ChoiceField(label=_("format"), widget=UnfoldAdminSelectWidget)
    zone = forms.CharField(label=_("time zone"), initial="UTC", widget=UnfoldAdminTextInputWidget)

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST or None, request.FILES or None)
        self.fields["project"].choices = project_choices(request)
        self.fields["source_format"].choices = [(AUTO, _("recognised by itself")), *((name, name) for name in FORMATS)]
        most = settings.MAX_BODY_BYTES // 1024**2
        self.fields["file"].help_text = (
            _("A .zip, .tar or .tar.gz of the store's folder, or its one file; at most %d MB.") % most
        )
        self.fields["zone"].help_text = _("Of times that name none, such as Asia/Shanghai.")
        names = import_dir_names()
        if names is None:
            del self.fields["path"]
        else:
            told = ", ".join(names) or "–"
            self.fields["path"].help_text = _("Below the folder of IMPORT_DIR. In it: %s.") % told

    def clean_zone(self) -> str:
        """Return the name of a zone that there is."""
        name = str(self.cleaned_data["zone"])
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise forms.ValidationError(_("There is no time zone of this name.")) from error
        return name

    def clean(self) -> dict[str, Any]:
        """Return the answers. Either a file or a path is named."""
        given = cast("dict[str, Any]", super().clean())
        if not self.errors and bool(given.get("file")) == bool(given.get("path")):
            raise forms.ValidationError(_("Choose a file or a path, one of the two."))
        return given


class BringsInStores:
    """Mixed into the admin page of import runs: a button above its list, and the pages behind it."""

    def has_bring_in_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Operators and administrators."""
        return bool(request.user.has_perm("backups_app.add_importrun"))

    def get_urls(self) -> list[URLPattern]:
        """Return the page of one store that is being looked at or brought in, and what there is anyway."""
        page = self.admin_site.admin_view(self.brought_page)
        return [
            path("brought/<int:job_pk>/", page, name="backups_app_importrun_brought"),
            *super().get_urls(),
        ]

    @action(description=_("Bring in an older store"), url_path="bring-in", permissions=["bring_in"])
    def bring_in(self, request: HttpRequest) -> HttpResponse:
        """Ask which store; what is chosen is looked at first, and nothing is written."""
        form = StoreForm(request)
        if request.method == "POST" and form.is_valid():
            try:
                job = _look(request, form.cleaned_data)
            except InvalidInput as error:
                form.add_error(None, str(error.errors[0].detail))
            else:
                return HttpResponseRedirect(_page(job))
        context = {**self.admin_site.each_context(request), "opts": ImportRun._meta, "form": form,
                   "title": _("Bring in an older store")}  # fmt: skip
        return TemplateResponse(request, "admin/bring_in.html", context)

    def brought_page(self, request: HttpRequest, job_pk: int) -> HttpResponse:
        """Show how far it is and what was found; a POST has what was looked at brought in."""
        if not self.has_bring_in_permission(request):
            raise PermissionDenied
        job = Job.objects.visible_to(caller_of_staff(request)).filter(kind=KIND, pk=job_pk).first()
        if job is None:
            raise Http404
        if request.method == "POST":
            return HttpResponseRedirect(_page(_done_for_good(request, job)))
        context = {**self.admin_site.each_context(request), "opts": ImportRun._meta, **_told(job)}
        return TemplateResponse(request, "admin/brought_in.html", context)


def _look(request: HttpRequest, given: dict[str, Any]) -> Job:
    file = given.get("file")
    upload = upload_keep(name=file.name, pieces=file.chunks()) if file else None
    arguments = {
        "dry_run": True,
        "upload": upload,
        "path": given.get("path") or None,
        "source_format": given["source_format"],
        "zone": given["zone"],
    }
    project_id = int(given["project"])
    caller = caller_of_staff(request)
    return job_enqueue(kind=KIND, arguments=arguments, project_id=project_id, now=timezone.now(), caller=caller)


def _done_for_good(request: HttpRequest, looked: Job) -> Job:
    """Ask for the import that was looked at; asked twice it is done once."""
    if not _may_follow(looked):
        raise Http404
    job, _is_new = job_enqueue_once(
        kind=KIND,
        slot=f"looked-{looked.pk}",
        arguments={**looked.arguments, "dry_run": False},
        project_id=looked.project_id,
        now=timezone.now(),
        caller=caller_of_staff(request),
    )
    return job


def _may_follow(job: Job) -> bool:
    return bool(job.state == Job.State.SUCCEEDED and job.arguments.get("dry_run"))


def _page(job: Job) -> str:
    return reverse("admin:backups_app_importrun_brought", args=[job.pk])


def _told(job: Job) -> dict[str, Any]:
    report = job.result if isinstance(job.result, dict) else {}
    is_open = job.state in Job.OPEN
    return {
        "title": _("A look at an older store") if job.arguments.get("dry_run") else _("An older store comes in"),
        "job": job,
        "report": report,
        "counts": counts_as_table(report.get("kinds", {})),
        "findings": [
            {**finding, "word": ImportFinding.Level(finding["level"]).label}
            for finding in report.get("findings", [])[:FINDINGS_SHOWN]
        ],
        "is_open": is_open,
        "looks_again": SECONDS_BETWEEN_LOOKS if is_open else 0,
        "may_follow": _may_follow(job),
        "is_dry_run": bool(job.arguments.get("dry_run")),
    }
