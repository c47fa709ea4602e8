"""Backups of the whole store, and the restores made of them."""

from typing import Any, Self

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from config.shared.callers import Caller
from config.shared.fields import IdField, JSONTextField
from sessions_app.models import Project

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,99}"
# A name is a folder's name on every file system, and stands in addresses as it is.
name_is_safe = RegexValidator(
    rf"\A{NAME_PATTERN}\Z",
    _("A name is 1 to 100 of a-z, 0-9, dot, dash and underscore, and begins with a letter or a digit."),
    code="unsafe_name",
)


class WholeStoreQuerySet(models.QuerySet[Any]):
    """Rows about the whole store: they are for those before whom no project is hidden."""

    def visible_to(self, caller: Caller) -> Self:
        """Return all rows to a caller who sees every project, and none to others."""
        return self if sees_whole_store(caller) else self.none()


def sees_whole_store(caller: Caller) -> bool:
    """Return whether there is no project that the caller does not see: an archive holds all of them."""
    return caller.project_ids is None or not Project.objects.exclude(pk__in=caller.project_ids).exists()


class BackupQuerySet(WholeStoreQuerySet):
    """Which backups."""

    def verified(self) -> Self:
        """Return the backups that were read back in full and found good, at their last check."""
        return self.filter(status=Backup.Status.VERIFIED)

    def newest_first(self) -> Self:
        """Return the backups in the order of the list."""
        return self.order_by("-started_at", "-id")


class Backup(models.Model):
    """One row is one archive of the whole store in BACKUP_DIR, or one attempt at it.

    The folder is the truth: a row can be made again from a signed manifest. `is_running` is true while it is made and
    NULL otherwise, so that a plain unique constraint keeps one at a time on every database; `lease_until` is until when
    the process that makes it counts as alive. `sequence` rises with every archive of this store; it is NULL where an
    archive from elsewhere has a number that one of ours has, too.
    """

    class Status(models.TextChoices):
        """Where a backup stands: only a verified one counts."""

        RUNNING = "running", _("running")
        VERIFIED = "verified", _("verified")
        DAMAGED = "damaged", _("damaged")
        FAILED = "failed", _("failed")

    class Trigger(models.TextChoices):
        """Who began it."""

        SCHEDULE = "schedule", _("schedule")
        COMMAND = "command", _("command line")
        API = "api", _("API")
        ADMIN = "admin", _("admin")

    name = IdField(_("name"), max_length=100, validators=[name_is_safe])
    sequence = models.PositiveBigIntegerField(_("number"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RUNNING)
    is_running = models.BooleanField(_("being made"), null=True, blank=True, default=None)
    trigger = models.CharField(_("begun by"), max_length=16, choices=Trigger, default=Trigger.COMMAND)
    requested_by = models.CharField(_("asked by"), max_length=255, blank=True, default="")
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    lease_until = models.DateTimeField(_("alive until"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)
    last_check_at = models.DateTimeField(_("last checked at"), null=True, blank=True)
    size_bytes = models.PositiveBigIntegerField(_("size in bytes"), default=0)
    row_count = models.PositiveBigIntegerField(_("rows"), default=0)
    tables = JSONTextField(_("tables"), default=dict, help_text=_("The number of rows of each table."))
    encrypted = models.BooleanField(_("encrypted"), default=False)
    manifest_sha256 = models.CharField(_("SHA-256 of the manifest"), max_length=64, blank=True, default="")
    format_version = models.PositiveSmallIntegerField(_("format version"), default=1)
    location = models.CharField(
        _("folder"), max_length=255, blank=True, default="", help_text=_("Its name under BACKUP_DIR.")
    )
    failure = models.TextField(_("failure"), blank=True, default="")
    protected = models.BooleanField(_("protected"), default=False, help_text=_("Never removed to make room."))

    objects = BackupQuerySet.as_manager()

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        constraints = [
            models.UniqueConstraint(fields=["name"], name="backup_name_once"),
            models.CheckConstraint(condition=~Q(name=""), name="backup_name_not_empty"),
            models.UniqueConstraint(fields=["sequence"], name="backup_sequence_once"),
            models.CheckConstraint(
                condition=Q(sequence__isnull=True) | Q(sequence__gte=1), name="backup_sequence_positive"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["running", "verified", "damaged", "failed"]), name="backup_status_known"
            ),
            models.CheckConstraint(
                condition=Q(trigger__in=["schedule", "command", "api", "admin"]), name="backup_trigger_known"
            ),
            # Two that want to begin at the same time meet here. NULLs are never the same.
            models.UniqueConstraint(fields=["is_running"], name="backup_running_once"),
            models.CheckConstraint(
                condition=Q(status="running", is_running=True, lease_until__isnull=False, finished_at__isnull=True)
                | (~Q(status="running") & Q(is_running__isnull=True, lease_until__isnull=True)),
                name="backup_running_or_over",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("started_at")),
                name="backup_finished_after_start",
            ),
            models.CheckConstraint(
                condition=~Q(status="verified") | Q(verified_at__isnull=False, finished_at__isnull=False),
                name="backup_verified_with_time",
            ),
        ]
        indexes = [
            # The list, and its filter by status.
            models.Index(fields=["started_at", "id"], name="backup_by_start"),
            models.Index(fields=["status", "started_at", "id"], name="backup_by_status"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def seconds(self) -> float | None:
        """How long it took to make, once it is over."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


class RestoreQuerySet(WholeStoreQuerySet):
    """Which restores."""

    def newest_first(self) -> Self:
        """Return the restores in the order of the list."""
        return self.order_by("-started_at", "-id")


class Restore(models.Model):
    """One row is one restore of an archive, or one look at what it would do.

    `is_running` and `lease_until` are as in Backup. `target` is "this store" or the address of another database, its
    password masked. `report` holds the tables with their rows, and what was checked.
    """

    class Status(models.TextChoices):
        """How the restore ended."""

        RUNNING = "running", _("running")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        DRY_RUN = "dry_run", _("only looked at")

    backup_name = models.CharField(_("archive"), max_length=1000)
    target = models.CharField(_("into"), max_length=500)
    replace = models.BooleanField(_("replaces what is there"), default=False)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RUNNING)
    is_running = models.BooleanField(_("at work"), null=True, blank=True, default=None)
    requested_by = models.CharField(_("asked by"), max_length=255, blank=True, default="")
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    lease_until = models.DateTimeField(_("alive until"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    row_count = models.PositiveBigIntegerField(_("rows"), default=0)
    report = JSONTextField(_("report"), default=dict)
    failure = models.TextField(_("failure"), blank=True, default="")

    objects = RestoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("restore")
        verbose_name_plural = _("restores")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["running", "completed", "failed", "dry_run"]), name="restore_status_known"
            ),
            # One at a time, as for backups.
            models.UniqueConstraint(fields=["is_running"], name="restore_running_once"),
            models.CheckConstraint(
                condition=Q(status="running", is_running=True, lease_until__isnull=False, finished_at__isnull=True)
                | (~Q(status="running") & Q(is_running__isnull=True, lease_until__isnull=True)),
                name="restore_running_or_over",
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) | Q(finished_at__gte=F("started_at")),
                name="restore_finished_after_start",
            ),
        ]
        indexes = [
            # The list.
            models.Index(fields=["started_at", "id"], name="restore_by_start"),
        ]

    def __str__(self) -> str:
        return f"{self.backup_name} {self.started_at:%Y-%m-%d %H:%M}"
