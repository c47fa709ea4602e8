"""Celery jobs about sessions; each loads nothing, makes one service call, and is safe to run twice."""

from celery import shared_task
from django.utils import timezone

from sessions_app.services.expiry import sessions_mark_expired


@shared_task
def mark_expired_sessions() -> None:
    """Mark the sessions whose time to live has passed."""
    sessions_mark_expired(now=timezone.now())
