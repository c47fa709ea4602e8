"""The ingest path: records of any kinds and sessions in one request."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.problems import PROBLEM_TYPE, problem
from config.shared.api.viewsets import LedgerViewSet
from config.shared.errors import FieldError, InvalidInput
from history_app.api.record_bodies import JsonLinesParser, NdjsonParser, RecordListParser, records_of
from history_app.api.serializers.records import IncomingRecordSerializer, IntakeSerializer
from history_app.models import Message
from history_app.services.intake import DeliveryRefused, Intake, Refusal, records_take

# A problem names this many faults; with more, the first ones say enough.
FAULTS_NAMED = 100
_WORDS = {"true": True, "false": False}


class RecordsViewSet(LedgerViewSet):
    """Takes records, as a JSON list or as NDJSON, and stores them in one transaction."""

    queryset = Message.objects.none()
    serializer_class = IntakeSerializer
    parser_classes = (RecordListParser, NdjsonParser, JsonLinesParser)
    action_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"create": ("atomic", "create_sessions")}

    @extend_schema(
        parameters=[
            OpenApiParameter("atomic", OpenApiTypes.BOOL, description="Store all records or none.", default=False),
            OpenApiParameter(
                "create_sessions", OpenApiTypes.BOOL, description="Create sessions that are not there.", default=True
            ),
        ],
        request=IncomingRecordSerializer(many=True),
        responses={200: IntakeSerializer},
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store records: once each by `record_id`, whatever is wrong with the others unless `atomic`."""
        all_or_none, create = self._switch("atomic", default=False), self._switch("create_sessions", default=True)
        body, now = records_of(request), timezone.now()
        try:
            intake = records_take(
                project_id=self.project_id,
                batches=lambda: body.batches(now),
                now=now,
                create_sessions=create,
                all_or_none=all_or_none,
            )
        except DeliveryRefused as refused:
            return _refused(refused.rejected)
        return Response(shown(intake))

    def _switch(self, name: str, *, default: bool) -> bool:
        stated = self.request.query_params.get(name)
        if stated is None:
            return default
        if stated not in _WORDS:
            raise InvalidInput.at(f"/{name}", _("%s is either true or false.") % name)
        return _WORDS[stated]


def shown(intake: Intake) -> dict[str, Any]:
    """Return the body of the answer: how many records were stored, and what is wrong with the others."""
    rejected = [
        {
            "index": refusal.index,
            "record_id": refusal.record_id,
            "errors": [{"pointer": error.pointer, "detail": error.detail} for error in refusal.errors],
        }
        for refusal in intake.rejected
    ]
    return {"accepted": intake.accepted, "duplicates": intake.duplicates, "rejected": rejected}


def _refused(rejected: list[Refusal]) -> Response:
    """Return the problem that names what stood in the way of all: a conflict only where nothing else did."""
    code = HTTPStatus.CONFLICT if all(refusal.is_conflict for refusal in rejected) else HTTPStatus.BAD_REQUEST
    errors = [
        FieldError(f"/{refusal.index}{error.pointer}", error.detail)
        for refusal in rejected[:FAULTS_NAMED]
        for error in refusal.errors
    ]
    detail = _("%d of the records cannot be stored, so none was.") % len(rejected)
    return Response(problem(code, detail, errors), status=code, content_type=PROBLEM_TYPE)
