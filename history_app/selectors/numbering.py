"""How far the numbers of sessions' messages have come, as the messages themselves say."""

from collections.abc import Iterable

from django.db.models import Count, Max

from history_app.models import Message

# SQLite's limit of parameters, as Django counts it, is 999.
SESSIONS_PER_QUERY = 500


def numbers_of_sessions(pks: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return the greatest number and the count of the messages of each of these sessions that has any."""
    found, asked = {}, list(pks)
    for first in range(0, len(asked), SESSIONS_PER_QUERY):
        rows = Message.objects.filter(session_id__in=asked[first : first + SESSIONS_PER_QUERY]).order_by()
        for pk, last, count in rows.values_list("session_id").annotate(last=Max("sequence"), count=Count("pk")):
            found[pk] = (last, count)
    return found
