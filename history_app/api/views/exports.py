"""A session as a file: streamed, whole, and in constant memory whatever its size."""

from typing import Any, ClassVar

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from config.shared.api.viewsets import LedgerViewSet
from config.shared.errors import InvalidInput
from history_app.api.export_formats import FORMS, file_name
from history_app.api.parameters import SESSION
from history_app.api.serializers.timeline import ExportSerializer
from history_app.models import Message
from sessions_app.selectors import session_find

_FORMAT = OpenApiParameter("format", OpenApiTypes.STR, enum=list(FORMS), default="json")
_ANSWERS: Any = {
    (200, "application/json"): ExportSerializer,
    (200, "application/x-ndjson"): OpenApiTypes.STR,
    (200, "text/csv"): OpenApiTypes.STR,
}


class SessionExportViewSet(LedgerViewSet):
    """One session with all that was recorded in it."""

    queryset = Message.objects.none()
    serializer_class = ExportSerializer
    filter_backends = ()
    pagination_class = None
    action_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"export": ("format",)}

    @extend_schema(parameters=[SESSION, _FORMAT], responses=_ANSWERS)
    def export(self, request: Request, session_id: str) -> HttpResponseBase:
        """Return the session as a file: one JSON document, a record a line, or a table."""
        form = FORMS.get(request.query_params.get("format", "json"))
        if form is None:
            raise InvalidInput.at("/format", _("One of %s is required.") % ", ".join(FORMS))
        session = session_find(caller=self.caller, session_id=session_id)
        headers = {
            "Content-Disposition": content_disposition_header(True, file_name(session_id, form.ending)),
            "Cache-Control": "no-store",
        }
        if request.method == "HEAD":
            return HttpResponse(content_type=form.content_type, headers=headers)
        pieces = form.pieces(session, self.caller, timezone.now())
        return StreamingHttpResponse(pieces, content_type=form.content_type, headers=headers)
