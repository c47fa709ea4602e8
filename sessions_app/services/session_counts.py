"""The counts of sessions, held against the sessions themselves."""

from collections import Counter

from django.db import transaction
from django.db.models import Count, F, Sum

from sessions_app.models import Session, SessionCount

Difference = dict[tuple[int, str], int]
REPAIRED_SHARD = 0


def session_counts_difference() -> Difference:
    """Return by how much each count is short of the sessions that are there, by project and status; {} is right.

    One statement reads both, so that what is written meanwhile counts on both sides or on neither.
    """
    there = Session.objects.order_by().values_list("project_id", "status").annotate(number=Count("id"))
    kept = SessionCount.objects.order_by().values_list("project_id", "status").annotate(number=-Sum("count"))
    difference: Counter[tuple[int, str]] = Counter()
    for project_id, status, number in there.union(kept, all=True):
        difference[project_id, status] += number
    return {place: number for place, number in difference.items() if number}


@transaction.atomic
def session_counts_repair() -> Difference:
    """Make the counts right and return what was missing. Nobody has to stop: a difference stays the same meanwhile."""
    difference = session_counts_difference()
    for (project_id, status), number in sorted(difference.items()):
        place = {"project_id": project_id, "status": status, "shard": REPAIRED_SHARD}
        SessionCount.objects.bulk_create([SessionCount(**place)], ignore_conflicts=True)
        SessionCount.objects.filter(**place).update(count=F("count") + number)
    return difference
