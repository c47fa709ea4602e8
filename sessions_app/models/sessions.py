"""Sessions: who works on what, with which settings, and since when."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from config.shared.querysets import ProjectQuerySet
from sessions_app.models.accounts import Project
from sessions_app.models.workflows import Workflow

LABEL_LENGTH = 255


class SessionQuerySet(ProjectQuerySet):
    """Which sessions."""

    def kept(self) -> Self:
        """Return sessions that nobody has deleted; the rows of a deleted one go by and by."""
        return self.exclude(pk__in=SessionDeletion.objects.values("session_id"))

    def visible_to(self, caller: Caller) -> Self:
        """Return the sessions of the caller's projects."""
        return super().visible_to(caller).kept()

    def open(self) -> Self:
        """Return sessions whose work is not over."""
        return self.filter(status__in=Session.OPEN)

    def expired_at(self, now: datetime) -> Self:
        """Return open sessions whose time has run out but which are not marked so yet."""
        return self.open().filter(expires_at__lte=now)

    def labelled(self, kind: str, key: str, value: str) -> Self:
        """Return sessions with this tag (kind "tag", key "") or this scalar metadata value (kind "metadata")."""
        labels = SessionLabel.objects.filter(kind=kind, key=key, value=value)
        return self.filter(pk__in=labels.values("session_id"))


class Session(models.Model):
    """One row is one conversation or piece of work of an agent."""

    class Status(models.TextChoices):
        """Where a session stands (parity.md, "Where the documents disagree")."""

        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        INACTIVE = "inactive", _("inactive")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        EXPIRED = "expired", _("expired")

    OPEN = (Status.ACTIVE, Status.PAUSED, Status.INACTIVE)
    # Where a session may go from where it stands. What completed is over; what failed or expired may be taken up again,
    # and an agent that comes back late may still say how an expired session ended.
    PATHS = {
        Status.ACTIVE: (Status.PAUSED, Status.INACTIVE, Status.COMPLETED, Status.FAILED, Status.EXPIRED),
        Status.PAUSED: (Status.ACTIVE, Status.INACTIVE, Status.COMPLETED, Status.FAILED, Status.EXPIRED),
        Status.INACTIVE: (Status.ACTIVE, Status.PAUSED, Status.COMPLETED, Status.FAILED, Status.EXPIRED),
        Status.COMPLETED: (),
        Status.FAILED: (Status.ACTIVE,),
        Status.EXPIRED: (Status.ACTIVE, Status.COMPLETED, Status.FAILED),
    }

    project = models.ForeignKey(Project, models.PROTECT, verbose_name=_("project"), db_index=False)
    session_id = IdField(_("session id"))
    user_id = IdField(_("user id"), blank=True, default="")
    title = models.CharField(_("title"), max_length=500, blank=True, default="")
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    workflow = models.ForeignKey(
        Workflow,
        models.SET_NULL,
        verbose_name=_("workflow"),
        null=True,
        blank=True,
        db_index=False,
    )
    workflow_config_path = models.CharField(_("workflow config path"), max_length=500, blank=True, default="")
    tags = JSONTextField(_("tags"), default=list)
    agent_config = JSONTextField(_("agent config"), default=dict)
    workflow_config = JSONTextField(_("workflow config"), default=dict)
    metadata = JSONTextField(_("metadata"), default=dict)
    context = JSONTextField(_("context"), default=dict)
    settings = JSONTextField(_("settings"), default=dict)
    thread_configs = JSONTextField(_("thread configs"), default=dict)
    external_ids = JSONTextField(_("external ids"), default=dict)
    ttl_seconds = models.PositiveIntegerField(
        _("time to live (s)"),
        null=True,
        blank=True,
        help_text=_("Empty: the system's SESSION_TTL. 0: never expires."),
    )
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now)
    version = models.PositiveIntegerField(_("version"), default=1)

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        constraints = [
            models.UniqueConstraint(fields=["project", "session_id"], name="session_id_once_per_project"),
            models.CheckConstraint(condition=~Q(session_id=""), name="session_id_not_empty"),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "active",
                        "paused",
                        "inactive",
                        "completed",
                        "failed",
                        "expired",
                    ]
                ),
                name="session_status_known",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="session_version_positive"),
        ]
        indexes = [
            # The list page and created_after/created_before.
            models.Index(fields=["project", "created_at", "id"], name="session_by_created"),
            # updated_after/updated_before and ordering by it.
            models.Index(fields=["project", "updated_at", "id"], name="session_by_updated"),
            # The sessions of one user, newest first.
            models.Index(fields=["project", "user_id", "created_at"], name="session_by_user"),
            # status=, newest first.
            models.Index(fields=["project", "status", "created_at"], name="session_by_status"),
            # workflow=, newest first; also the foreign key.
            models.Index(fields=["workflow", "created_at"], name="session_by_workflow"),
            # The sweep that marks expired sessions, and how many are due.
            models.Index(
                fields=["status", "expires_at", "project"],
                name="session_due",
                condition=Q(expires_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.session_id


class SessionActivity(models.Model):
    """One row is what every append to one session changes, apart and narrow so that appends stay cheap.

    `last_sequence` is the number of the newest message ever given out in the session, `last_fence` the fencing token of
    the newest lease of its agent; neither is ever given out again.
    `revision` moves on with every write that brings the session a new record of any type.
    """

    session = models.OneToOneField(
        Session,
        models.CASCADE,
        verbose_name=_("session"),
        primary_key=True,
        related_name="activity",
    )
    last_sequence = models.BigIntegerField(_("last sequence"), default=0)
    message_count = models.BigIntegerField(_("messages"), default=0)
    last_activity_at = models.DateTimeField(_("last activity"), default=timezone.now)
    last_fence = models.BigIntegerField(_("last fencing token"), default=0, db_default=0)
    revision = models.BigIntegerField(_("revision"), default=0, db_default=0)

    class Meta:
        verbose_name = _("session activity")
        verbose_name_plural = _("session activities")
        constraints = [
            models.CheckConstraint(
                condition=Q(message_count__gte=0) & Q(last_sequence__gte=models.F("message_count")),
                name="activity_counts_within_sequence",
            ),
            models.CheckConstraint(condition=Q(last_fence__gte=0), name="activity_fence_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.message_count} messages"


class SessionDeletion(models.Model):
    """One row is one session that somebody deleted and whose rows are still being removed, in bounded batches.

    From the moment this row is committed the session and all that hangs on it are gone for every reader; its own row
    has given its id free. When the last row is removed, this one goes with it.
    """

    session = models.OneToOneField(
        Session,
        models.CASCADE,
        verbose_name=_("session"),
        primary_key=True,
        related_name="deletion",
    )
    former_id = IdField(_("session id"))
    requested_at = models.DateTimeField(_("requested at"), default=timezone.now)

    class Meta:
        verbose_name = _("session deletion")
        verbose_name_plural = _("session deletions")

    def __str__(self) -> str:
        return self.former_id


class OfSessionQuerySet(ProjectQuerySet):
    """Rows that belong to one session each, by their `session` column."""

    def visible_to(self, caller: Caller) -> Self:
        """Return the rows of the caller's projects, without those of deleted sessions."""
        return super().visible_to(caller).exclude(session_id__in=SessionDeletion.objects.values("session_id"))


class SessionLabel(models.Model):
    """One row is one tag, or one scalar of the metadata, of a session: what `tag=` and `metadata.<key>=` look up."""

    class Kind(models.TextChoices):
        """What the label was made from."""

        TAG = "tag", _("tag")
        METADATA = "metadata", _("metadata")

    session = models.ForeignKey(Session, models.CASCADE, verbose_name=_("session"), related_name="labels")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    key = IdField(_("key"), max_length=100, blank=True, default="")
    value = IdField(_("value"), max_length=LABEL_LENGTH, blank=True)

    class Meta:
        verbose_name = _("session label")
        verbose_name_plural = _("session labels")
        constraints = [
            models.UniqueConstraint(fields=["session", "kind", "key", "value"], name="session_label_once"),
            models.CheckConstraint(
                condition=Q(kind__in=["tag", "metadata"]),
                name="session_label_kind_known",
            ),
        ]
        indexes = [
            # tag= and metadata.<key>=.
            models.Index(fields=["kind", "key", "value", "session"], name="session_label_lookup"),
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}" if self.key else self.value
