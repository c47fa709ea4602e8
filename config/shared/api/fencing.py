"""The fencing token of a write: proof that the caller's lease on a session is the newest one."""

import re

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from config.shared.errors import InvalidInput

FENCE_HEADER = "X-Fencing-Token"
GREATEST_FENCE = 2**63 - 1
_TOKEN = re.compile("[1-9][0-9]{0,18}")

FENCE_PARAMETER = OpenApiParameter(
    FENCE_HEADER,
    OpenApiTypes.INT64,
    OpenApiParameter.HEADER,
    description="The token of the caller's lease; 409 when another lease of the session is newer.",
)


def stated_fence(request: Request) -> int | None:
    """Return the token of the request's header, None where there is none. Raises InvalidInput for what is no token."""
    stated = request.headers.get(FENCE_HEADER)
    if stated is None:
        return None
    if not _TOKEN.fullmatch(stated.strip()) or int(stated) > GREATEST_FENCE:
        raise InvalidInput.at("", f"{FENCE_HEADER} is the positive number that a heartbeat was answered with.")
    return int(stated)
