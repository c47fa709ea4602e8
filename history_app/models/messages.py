"""Messages: what was said in a session, strictly numbered."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from config.shared.fields import JSONTextField
from history_app.models.facts import Fact

BEGINNING_CHARACTERS = 200


class Message(Fact):
    """One row is one message. `sequence` is its number in the session: strictly increasing, never reused."""

    class Role(models.TextChoices):
        """Who speaks (parity.md: `message_type` and `role` are one)."""

        USER = "user", _("user")
        ASSISTANT = "assistant", _("assistant")
        SYSTEM = "system", _("system")
        TOOL = "tool", _("tool")

    sequence = models.BigIntegerField(_("number"))
    role = models.CharField(_("role"), max_length=16, choices=Role)
    content = models.TextField(_("content"), null=True, blank=True)
    structured_content = JSONTextField(
        _("structured content"),
        help_text=_("The content as it came where it was no plain text, such as a list of parts."),
    )

    class Meta(Fact.Meta):
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        constraints = [
            # A retried write finds its first one here.
            models.UniqueConstraint(fields=["session", "record_id"], name="message_record_once"),
            # The messages page: last=, before=, after=.
            models.UniqueConstraint(fields=["session", "sequence"], name="message_sequence_once"),
            models.CheckConstraint(condition=Q(sequence__gte=1), name="message_sequence_positive"),
            models.CheckConstraint(
                condition=Q(role__in=["user", "assistant", "system", "tool"]),
                name="message_role_known",
            ),
        ]
        indexes = [
            # The list over all sessions, and a period of it; role= filters along it (roles are few).
            models.Index(fields=["project", "timestamp", "id"], name="message_by_time"),
        ]

    @property
    def body(self) -> Any:
        """The content as it was sent: text, or the structure where it was none."""
        return self.content if self.structured_content is None else self.structured_content

    @property
    def beginning(self) -> str:
        """The first characters, for lists."""
        return (self.content or "")[:BEGINNING_CHARACTERS]
