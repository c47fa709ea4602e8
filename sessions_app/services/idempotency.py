"""Idempotency-Keys: what is done under one key is done once, and answered the same again."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from config.shared.answers import Answer
from config.shared.crypto import decrypt, encrypt
from config.shared.errors import Conflict
from config.shared.retries import TryAgain, retried, waited_in_vain
from sessions_app.models import KeptAnswer

KEYS_PER_STATEMENT = 500
FIRST_FAILURE = 400


class _KeyTaken(Exception):
    """Another request has done something under the key."""


class _NotKept(Exception):
    """What was to be done failed: nothing of it is stored, and its key stays free."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def answer_once(*, project_id: int, key: str, fingerprint: str, now: datetime, act: Callable[[], Answer]) -> Answer:
    """Do what a request asks for and keep its answer in the same transaction; answer a repeated request as before.

    `act` does it and returns the answer; it is called again after a failure that a new transaction can cure. Failures
    (400 and above, and what `act` raises) undo everything and are not kept. A request that comes while the first one
    with its key is at work waits for its end. Raises Conflict for another request under a used key, and when the wait
    was in vain.
    """

    def first() -> Answer:
        with transaction.atomic():
            row = _claim(project_id, key, fingerprint, now)
            answer = act()
            if answer.status >= FIRST_FAILURE:
                raise _NotKept(answer)
            row.status, row.headers = answer.status, answer.headers
            row.body = encrypt(answer.body.decode(), _place(row))
            row.save(force_update=True, update_fields=["status", "headers", "body"])
            return answer

    try:
        return retried(first)
    except _KeyTaken:
        return _kept(project_id, key, fingerprint)
    except _NotKept as failure:
        return failure.answer


def _claim(project_id: int, key: str, fingerprint: str, now: datetime) -> KeptAnswer:
    """Take the key: the first statement of the transaction, so that nobody does anything under a taken one."""
    try:
        return KeptAnswer.objects.create(project_id=project_id, key=key, fingerprint=fingerprint, created_at=now)
    except IntegrityError as error:
        raise _KeyTaken from error
    except OperationalError as error:
        if waited_in_vain(error):
            raise Conflict(_("A request with this Idempotency-Key is still at work.")) from error
        raise


def _kept(project_id: int, key: str, fingerprint: str) -> Answer:
    row = KeptAnswer.objects.filter(project_id=project_id, key=key).first()
    if row is None:
        # Forgotten between the two statements.
        raise TryAgain
    if row.fingerprint != fingerprint:
        raise Conflict(_("This Idempotency-Key was used for another request."))
    return Answer(row.status, row.headers, decrypt(row.body, _place(row)).encode(), is_kept=True)


def _place(row: KeptAnswer) -> str:
    return f"keptanswer|{row.project_id}|{row.key}|body"


def kept_answers_prune(*, now: datetime, batch: int = KEYS_PER_STATEMENT) -> int:
    """Forget the answers older than IDEMPOTENCY_HOURS, and return how many; in bounded batches, safe to run twice."""
    before = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    total = 0
    while old := list(
        KeptAnswer.objects.filter(created_at__lt=before).order_by("created_at")[:batch].values_list("pk")
    ):
        total += KeptAnswer.objects.filter(pk__in=[pk for (pk,) in old]).delete()[0]
    return total
