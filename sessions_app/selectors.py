"""Reads that are not rows of one model: callers, one session by its id, and what the status page counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import StrIndex, Substr

from config.shared.callers import Caller
from config.shared.errors import Conflict, NotFound
from config.shared.fields import JSONTextField
from sessions_app.models import ApiKey, ConfigVersion, Job, Session, SessionCount, SessionDeletion

Found = TypeVar("Found")


def caller_of_key(key: ApiKey) -> Caller:
    """Return what the holder of a key may see and do: one project, contents unless the role is reader."""
    return Caller(
        kind="key",
        name=f"{key.name} ({key.prefix})",
        role=key.role,
        project_ids=frozenset({key.project_id}),
        project_id=key.project_id,
        can_see_contents=key.role != ApiKey.Role.READER,
    )


def session_find(*, caller: Caller, session_id: str, related: tuple[str, ...] = ()) -> Session:
    """Return the one session of this id that the caller may see, with the `related` rows that are read along.

    Raises NotFound where there is none, Conflict when several of the caller's projects have one of that id.
    """
    found = Session.objects.visible_to(caller).filter(session_id=session_id)
    rows: list[Session] = list(found.select_related(*related)[:2] if related else found[:2])
    return only_one(rows)


def only_one(rows: Sequence[Found]) -> Found:
    """Return the one of the sessions found under an id. Raises NotFound and Conflict as `session_find` does."""
    if not rows:
        raise NotFound
    if len(rows) > 1:
        raise Conflict("Several of your projects have a session of this id. Say which with ?project=.")
    return rows[0]


def session_counts(*, caller: Caller, now: datetime) -> dict[str, Any]:
    """Return how many sessions there are, in all, by status and expired (marked or due)."""
    sessions, counts = Session.objects.visible_to(caller), SessionCount.objects.all()
    if caller.project_ids is not None:
        counts = counts.filter(project_id__in=caller.project_ids)
    counted = dict(counts.order_by().values_list("status").annotate(Sum("count")))
    # Rows of deleted sessions are there until they are removed, and no longer count.
    gone = SessionDeletion.objects.all()
    if caller.project_ids is not None:
        gone = gone.filter(session__project_id__in=caller.project_ids)
    for status, number in gone.order_by().values_list("session__status").annotate(Count("pk")):
        counted[status] -= number
    by_status = {status: counted.get(status, 0) for status in Session.Status.values}
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "expired": by_status[Session.Status.EXPIRED] + sessions.expired_at(now).count(),
    }


@dataclass(frozen=True)
class EntryRuns:
    """What became of a scheduled entry's jobs: the last of its slots, how many of those failed or were parked, and the
    last job of the same kind that somebody asked for beside the schedule.
    """

    last: Job | None
    failures: int
    asked_for: Job | None


def entry_runs(*, entries: Mapping[str, str]) -> dict[str, EntryRuns]:
    """Return what became of the jobs of scheduled entries, by their names; `entries` are kinds by name.

    Three questions, however many entries there are.
    """
    jobs = Job.objects.filter(kind__in=set(entries.values())).order_by()
    failed = Q(state__in=[Job.State.FAILED, Job.State.PARKED])
    # A slot is the entry's name and the moment.
    name = Substr("slot", 1, StrIndex("slot", Value("@")) - 1)
    of_slots = jobs.filter(slot__contains="@").annotate(entry=name).values("entry")
    counted = {each["entry"]: each for each in of_slots.annotate(last=Max("pk"), failures=Count("pk", filter=failed))}
    beside = jobs.filter(Q(slot__isnull=True) | ~Q(slot__contains="@")).values("kind")
    asked_for = {each["kind"]: each["last"] for each in beside.annotate(last=Max("pk"))}
    rows = Job.objects.in_bulk([*asked_for.values(), *(each["last"] for each in counted.values())])
    found = {}
    for entry, kind in entries.items():
        runs = counted.get(entry, {"last": None, "failures": 0})
        found[entry] = EntryRuns(rows.get(runs["last"]), runs["failures"], rows.get(asked_for.get(kind)))
    return found


def config_history(*, caller: Caller, key: str) -> QuerySet[ConfigVersion]:
    """Return the changes of a setting, the newest first, each with the value that it replaced as `value_before`."""
    same_key = ConfigVersion.objects.filter(project_id=OuterRef("project_id"), key=OuterRef("key"))
    former = same_key.filter(version=OuterRef("version") - 1).values("value")
    rows: QuerySet[ConfigVersion] = ConfigVersion.objects.visible_to(caller).filter(key=key)
    return rows.annotate(value_before=Subquery(former, output_field=JSONTextField())).order_by("-version", "-id")
