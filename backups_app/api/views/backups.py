"""Backups and restores: looked at, asked for as jobs, removed, and handed out."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from backups_app.api.filters import BackupFilterSet, RestoreFilterSet
from backups_app.api.serializers import (
    AskedJobSerializer,
    BackupSerializer,
    NewBackupSerializer,
    RestoreAskedSerializer,
    RestoreRunSerializer,
)
from backups_app.models import Backup, Restore
from backups_app.models.backups import NAME_PATTERN, sees_whole_store
from backups_app.services.backups import backup_delete, backup_hand_out, backup_hand_out_size
from backups_app.services.backups.parts import choice_of, part_look
from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import ADMINS, DestroyMixin, LedgerViewSet, ListMixin, RetrieveMixin
from config.shared.errors import Conflict, Forbidden
from sessions_app.models import Job
from sessions_app.services.jobs import job_enqueue

_JOB = {202: OpenApiResponse(AskedJobSerializer, description="Poll it at the address in Location.")}
TAR = "application/x-tar"


class WholeStoreViewSet(LedgerViewSet):
    """About the whole store: for staff who see every project, and for an admin key while there is only its project.

    For all others the list is empty.
    """

    read_roles = write_roles = ADMINS
    ordering = "-started_at"
    orderings = ("started_at",)

    def asked(self, kind: str, **arguments: Any) -> Response:
        """Ask for a job, and answer where it can be polled."""
        arguments = {name: value for name, value in arguments.items() if value is not None}
        job: Job = job_enqueue(
            kind=kind, arguments=arguments, project_id=self.caller.project_id, now=timezone.now(), caller=self.caller
        )
        answer = Response(AskedJobSerializer(job).data, status=status.HTTP_202_ACCEPTED)
        answer["Location"] = self.request.build_absolute_uri(f"{reverse('job-detail', args=[job.pk])}/")
        return answer


class BackupViewSet(ListMixin, RetrieveMixin, DestroyMixin, WholeStoreViewSet):
    """Backups of the whole store, newest first; a verified one was read back in full and found good."""

    queryset = Backup.objects.all()
    serializer_class = BackupSerializer
    filterset_class = BackupFilterSet
    lookup_field = "name"
    lookup_value_regex = NAME_PATTERN

    @extend_schema(request=NewBackupSerializer, responses=_JOB)
    def create(self, request: Request) -> Response:
        """Ask for a backup now. 409 where the name is taken; without a name it is named by its time."""
        if not sees_whole_store(self.caller):
            raise Forbidden("A backup holds every project, and you see only some of them.")
        stated = NewBackupSerializer(data=request.data)
        stated.is_valid(raise_exception=True)
        name = stated.validated_data.get("name")
        if name and Backup.objects.filter(name=name).exists():
            raise Conflict(f"There is a backup named {name} already.")
        return self.asked("backup.make", name=name, trigger=Backup.Trigger.API.value)

    @extend_schema(request=None, responses=_JOB)
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, name: str) -> Response:
        """Ask to have it read back in full; the job's result says whether it is good, and where it is not."""
        return self.asked("backup.verify", name=self.get_object().name)

    @extend_schema(request=RestoreAskedSerializer, responses=_JOB)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, name: str) -> Response:
        """Ask to make the store what the backup holds, or with `dry_run` only to look at what that would do.

        The job's result names the restore, whose report is at /api/restores/. All of the store comes back: also keys
        and logins are those of the backup then. With `only` a part comes back: sessions, users with what is theirs,
        settings and workflows, or projects; everything else stays as it is. 400 names what the backup does not hold;
        of a backup with very many sessions the job says it.
        """
        backup = self.get_object()
        stated = RestoreAskedSerializer(data=request.data)
        stated.is_valid(raise_exception=True)
        if "only" in stated.validated_data:
            return self._asked_part(backup, **stated.validated_data)
        return self.asked("backup.restore", name=backup.name, **stated.validated_data)

    def _asked_part(self, backup: Backup, *, dry_run: bool, replace: bool, **asked: Any) -> Response:
        choice = choice_of(**asked)
        part_look(backup=backup, choice=choice)
        return self.asked("backup.restore_part", name=backup.name, dry_run=dry_run, **choice.told())

    @extend_schema(responses={(200, TAR): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get", "head"])
    def download(self, request: Request, name: str) -> HttpResponseBase:
        """Return the archive as a tar, streamed; the audit tells who took it. It holds everything: keep it so."""
        backup = self.get_object()
        headers = {
            "Content-Disposition": content_disposition_header(True, f"{backup.name}.tar"),
            "Cache-Control": "no-store",
        }
        if request.method == "HEAD":
            headers["Content-Length"] = str(backup_hand_out_size(backup=backup))
            return HttpResponse(content_type=TAR, headers=headers)
        tar = backup_hand_out(backup=backup, caller=self.caller, now=timezone.now())
        headers["Content-Length"] = str(tar.size)
        return StreamingHttpResponse(tar.pieces, content_type=TAR, headers=headers)

    def perform_destroy(self, row: Backup) -> None:
        """Remove the backup and its folder. 409 while it is made or protected, and while a restore is at work."""
        backup_delete(backup=row, caller=self.caller, now=timezone.now())


class RestoreViewSet(ListMixin, RetrieveMixin, WholeStoreViewSet):
    """Restores, and looks at what one would do, newest first."""

    queryset = Restore.objects.all()
    serializer_class = RestoreRunSerializer
    filterset_class = RestoreFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
