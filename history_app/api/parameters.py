"""Query parameters that several reads of one session share: a period of time, and record types."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from config.shared.api.fields import InstantValue
from config.shared.errors import InvalidInput
from history_app.selectors.record_types import NAMES, RecordType, chosen
from history_app.selectors.timeline import Period

SESSION = OpenApiParameter("session_id", OpenApiTypes.STR, OpenApiParameter.PATH)
START = OpenApiParameter("start", OpenApiTypes.DATETIME, description="From this moment on.")
END = OpenApiParameter("end", OpenApiTypes.DATETIME, description="Before this moment.")
TYPES = OpenApiParameter("record_type", OpenApiTypes.STR, enum=NAMES, many=True, description="May be repeated.")


def period_of(request: Any) -> Period:
    """Return the period that `start` and `end` state. Raises InvalidInput for what is no time."""
    return Period(_moment(request, "start"), _moment(request, "end"))


def _moment(request: Any, name: str) -> datetime | None:
    stated = request.query_params.get(name)
    if stated is None:
        return None
    try:
        moment: datetime = InstantValue().run_validation(stated)
    except ValidationError as error:
        raise InvalidInput.at(f"/{name}", str(error.detail[0])) from error
    return moment


def types_of(request: Any) -> tuple[RecordType, ...]:
    """Return the record types that `record_type` names, all where it is left out. Raises InvalidInput."""
    try:
        return chosen(request.query_params.getlist("record_type"))
    except KeyError as error:
        raise InvalidInput.at("/record_type", _("One of %s is required.") % ", ".join(NAMES)) from error
