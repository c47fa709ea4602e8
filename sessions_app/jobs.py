"""Celery jobs about sessions; each loads nothing, makes one service call, and is safe to run twice."""

from celery import shared_task
from django.utils import timezone

from sessions_app.services.expiry import sessions_mark_expired
from sessions_app.services.idempotency import kept_answers_prune


@shared_task
def mark_expired_sessions() -> None:
    """Mark the sessions whose time to live has passed."""
    sessions_mark_expired(now=timezone.now())


@shared_task
def prune_kept_answers() -> None:
    """Forget the answers to writes that are too old to be retried."""
    kept_answers_prune(now=timezone.now())
