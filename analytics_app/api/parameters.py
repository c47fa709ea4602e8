"""Query parameters of figures: counts, days and periods, each refused by name where it makes no sense."""

import re
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from analytics_app.selectors.tokens import Asked
from config.shared.api.fields import InstantValue
from config.shared.api.zones import zone_of
from config.shared.errors import InvalidInput

MOST_DAYS = 366
DEFAULT_PERIOD_DAYS = 30
EARLIEST_YEAR = 1971
# Python reads weeks and days without dashes, too; a client that writes those by mistake had better know.
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
START = OpenApiParameter("start", OpenApiTypes.DATETIME, description="From this moment on; default: 30 days back.")
END = OpenApiParameter("end", OpenApiTypes.DATETIME, description="Before this moment; default: now.")


def asked_of(view: Any) -> Asked:
    """Return who asks by which clock. Raises InvalidInput for an unknown zone."""
    return Asked(view.caller.project_ids, zone_of(view.request), timezone.now())


def number_of(request: Any, name: str, *, default: int, most: int) -> int:
    """Return a whole number from 1 to `most`. Raises InvalidInput."""
    stated = request.query_params.get(name, str(default))
    plain = stated.isascii() and stated.isdigit() and len(stated) <= len(str(most))
    if not (plain and 1 <= int(stated) <= most):
        raise InvalidInput.at(f"/{name}", _("%(name)s is a number from 1 to %(most)d.") % {"name": name, "most": most})
    return int(stated)


def day_of(request: Any, name: str, *, default: date) -> date:
    """Return a day, written as 2026-03-14. Raises InvalidInput."""
    stated = request.query_params.get(name)
    if stated is None:
        return default
    refusal = InvalidInput.at(f"/{name}", _("A day is written as 2026-03-14."))
    if not _DAY.fullmatch(stated):
        raise refusal
    try:
        day = date.fromisoformat(stated)
    except ValueError as error:
        raise refusal from error
    if not EARLIEST_YEAR <= day.year < date.max.year:
        raise refusal
    return day


def period_of(request: Any, *, now: datetime) -> tuple[datetime, datetime]:
    """Return the period from `start` to `end`. Raises InvalidInput when it is empty or longer than MOST_DAYS days."""
    end = _moment(request, "end") or now
    start = _moment(request, "start") or end - timedelta(days=DEFAULT_PERIOD_DAYS)
    if start >= end:
        raise InvalidInput.at("/end", _("The end lies after the start."))
    if end - start > timedelta(days=MOST_DAYS):
        raise InvalidInput.at("/start", _("A period is %d days long at the most.") % MOST_DAYS)
    return start, end


def _moment(request: Any, name: str) -> datetime | None:
    stated = request.query_params.get(name)
    if stated is None:
        return None
    try:
        moment: datetime = InstantValue().run_validation(stated)
    except ValidationError as error:
        raise InvalidInput.at(f"/{name}", str(error.detail[0])) from error
    if moment.year < EARLIEST_YEAR:
        raise InvalidInput.at(f"/{name}", _("Figures begin in %d.") % EARLIEST_YEAR)
    return moment
