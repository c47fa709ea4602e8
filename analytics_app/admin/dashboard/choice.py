"""What the page shows: which days and which projects were chosen, each within what the member of staff may see."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.http import Http404, HttpRequest
from django.utils.functional import Promise
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics_app.selectors.steps import Steps
from config.shared.admin.callers import caller_of_staff, project_choices
from config.shared.callers import Caller

DEFAULT_DAYS = 30
PERIODS: Sequence[tuple[int, str | Promise]] = (
    (7, gettext_lazy("past 7 days")),
    (30, gettext_lazy("past 30 days")),
    (90, gettext_lazy("past 90 days")),
    (365, gettext_lazy("past year")),
)
MOST_DAYS = 366
EARLIEST = date(1971, 1, 1)


@dataclass(frozen=True)
class Choice:
    """What is shown. `days` is None where the two days were named; `problem` says what was not understood."""

    caller: Caller
    steps: Steps
    project: int | None
    days: int | None
    problem: str = ""


def choice_of(request: HttpRequest, today: date) -> Choice:
    """Return what the query asks for: `days` back from today, or `from` and `to`, and one `project` by its id.

    Days that make no sense show the usual period and say so. Raises Http404 for a project behind a wall.
    """
    caller, project = _caller_and_project(request)
    named = request.GET.get("from", ""), request.GET.get("to", "")
    problem = ""
    if any(named):
        try:
            first, last = _named_days(*named, today)
            return Choice(caller, Steps(first, last, get_current_timezone()), project, None)
        except ValueError as error:
            problem = str(error)
    days = request.GET.get("days", "")
    back = next((number for number, _text in PERIODS if str(number) == days), DEFAULT_DAYS)
    steps = Steps(today - timedelta(days=back - 1), today, get_current_timezone())
    return Choice(caller, steps, project, back, problem)


def _caller_and_project(request: HttpRequest) -> tuple[Caller, int | None]:
    caller, asked = caller_of_staff(request), request.GET.get("project", "")
    if not asked:
        return caller, None
    project = next((pk for pk, _slug in project_choices(request) if str(pk) == asked), None)
    if project is None:
        raise Http404
    return dataclasses.replace(caller, project_ids=frozenset([project])), project


def _named_days(start: str, end: str, today: date) -> tuple[date, date]:
    """Return the two days; one that is missing is today, or the usual way back. Raises ValueError with the reason."""
    try:
        last = date.fromisoformat(end) if end else today
        first = date.fromisoformat(start) if start else last - timedelta(days=DEFAULT_DAYS - 1)
    except (ValueError, OverflowError) as error:
        raise ValueError(_("A day is written as 2026-03-14.")) from error
    if first < EARLIEST or last.year >= date.max.year:
        raise ValueError(_("A day is written as 2026-03-14."))
    if first > last:
        raise ValueError(_("The end lies after the start."))
    if (last - first).days >= MOST_DAYS:
        raise ValueError(_("A period is %d days long at the most.") % MOST_DAYS)
    return first, last
