"""Deleting a session: gone for every reader at once, its rows removed in bounded batches that a kill only delays."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import models, transaction

from config.shared.ids import uuid7
from config.shared.retries import retried
from sessions_app.models import AgentResidency, Session, SessionActivity, SessionDeletion, WorkflowRun

BATCH = 1000


def session_bury(*, session: Session, now: datetime) -> None:
    """Take a locked session away from every reader, within the caller's transaction, and remove its first rows.

    Its id is free from now on. An append that is under way finds no activity row, looks again, and begins a new
    session of that id, as it would after any deletion.
    """
    SessionDeletion.objects.create(session=session, former_id=session.session_id, requested_at=now)
    Session.objects.filter(pk=session.pk).update(session_id=f"deleted {uuid7()}", expires_at=None)
    SessionActivity.objects.filter(pk=session.pk).delete()
    AgentResidency.objects.filter(pk=session.pk).delete()
    # Runs stay, and must not name a session that is gone.
    WorkflowRun.objects.filter(session=session.pk).update(session=None)
    _step(session.pk, BATCH)


def sessions_purge(*, batch: int = BATCH, at_most: int | None = None) -> int:
    """Remove the rows of deleted sessions, and return how many sessions were removed to the last row.

    Each batch is a transaction of at most `batch` rows; `at_most` bounds the batches of one call. Safe to run twice at
    once, and to be killed: the next call goes on where this one was.
    """
    finished = steps = 0
    for pk in list(SessionDeletion.objects.order_by("pk").values_list("pk", flat=True)):
        done = False
        while not done and (at_most is None or steps < at_most):
            done, steps = retried(lambda pk=pk: _atomic_step(pk, batch)), steps + 1  # type: ignore[misc]
        finished += done
    return finished


@transaction.atomic
def _atomic_step(pk: int, limit: int) -> bool:
    return _step(pk, limit)


def _step(pk: int, limit: int) -> bool:
    """Remove at most `limit` rows of a session, and the session itself when they were the last; return whether so."""
    left = limit
    for relation, path in dependents(Session):
        rows = relation.related_model._base_manager.filter(**{path: pk})
        pks = list(rows.values_list("pk", flat=True)[:left])
        if pks:
            _let_go(relation, pks)
            left -= len(pks)
        if left <= 0:
            return False
    # What came in between hangs on the row still, and goes with it.
    Session.objects.filter(pk=pk).delete()
    return True


def _let_go(relation: Any, pks: list[Any]) -> None:
    rows = relation.related_model._base_manager.filter(pk__in=pks)
    if relation.on_delete is models.SET_NULL:
        rows.update(**{relation.field.name: None})
    else:
        rows.delete()


def dependents(model: type[models.Model], path: str = "") -> Iterator[tuple[Any, str]]:
    """Yield the relations whose rows go with a row of this model, those first on which no others hang."""
    relations = [
        relation
        for relation in model._meta.related_objects
        if relation.on_delete in (models.CASCADE, models.SET_NULL) and relation.related_model is not SessionDeletion
    ]
    for relation in sorted(relations, key=lambda each: len(each.related_model._meta.related_objects)):
        way = f"{relation.field.name}__{path}" if path else relation.field.name
        if relation.on_delete is models.CASCADE:
            yield from dependents(relation.related_model, way)
        yield relation, way
