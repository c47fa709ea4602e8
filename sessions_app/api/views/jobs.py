"""Jobs of the project: how far they are, and to stop them or have them tried again."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.routers import NUMBER
from config.shared.api.viewsets import KEEPERS, LedgerViewSet, ListMixin, RetrieveMixin
from sessions_app.api.filters import JobFilterSet
from sessions_app.api.serializers.jobs import JobSerializer
from sessions_app.models import Job
from sessions_app.services.jobs import job_cancel, job_retry


class JobViewSet(ListMixin, RetrieveMixin, LedgerViewSet):
    """Work done behind the requests. A job that was asked for is polled here until its state says that it is over."""

    queryset = Job.objects.all()
    serializer_class = JobSerializer
    filterset_class = JobFilterSet
    lookup_field = "id"
    lookup_value_regex = NUMBER
    read_roles = write_roles = KEEPERS
    ordering = "-created_at"
    orderings = ("created_at",)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **_: str) -> Response:
        """Stop the job: a queued one at once, a running one at its next look. 409 when it is over already."""
        return self.answer(job_cancel(job=self.get_object(), caller=self.caller, now=timezone.now()))

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, **_: str) -> Response:
        """Queue a job that failed, was parked or was cancelled, with all its attempts anew. 409 for others."""
        return self.answer(job_retry(job=self.get_object(), caller=self.caller, now=timezone.now()))
