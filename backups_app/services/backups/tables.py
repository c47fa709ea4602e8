"""Which tables an archive holds, in what order they are written back, and how their columns stand in it.

This is the one place that says so: a model that is named nowhere here fails a test.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from django.apps import apps
from django.db import models

from backups_app.archive.manifest import Column, Kind
from config.shared.fields import JSONTextField

# The truth: what nobody could make again.
ARCHIVED = (
    "admin.logentry",
    "analytics_app.modelprice",
    "auth.group",
    "auth.group_permissions",
    # Permissions and their types have other numbers in every installation, and rows refer to the numbers.
    "auth.permission",
    "contenttypes.contenttype",
    "backups_app.importfinding",
    "backups_app.importorigin",
    "backups_app.importrun",
    "history_app.arrival",
    "history_app.errorrecord",
    "history_app.llmcall",
    "history_app.message",
    "history_app.metric",
    "history_app.subtask",
    "history_app.task",
    "history_app.tokenusage",
    "history_app.toolcall",
    "sessions_app.apikey",
    "sessions_app.auditchain",
    "sessions_app.auditentry",
    "sessions_app.configsnapshot",
    "sessions_app.configsnapshotentry",
    "sessions_app.configversion",
    "sessions_app.document",
    # Events that were not delivered yet are told after a restore; a delivered one tells that it was.
    "sessions_app.event",
    "sessions_app.externaldeletion",
    # A request that is retried after a restore still gets its first answer.
    "sessions_app.keptanswer",
    "sessions_app.knowledgesource",
    "sessions_app.project",
    "sessions_app.providerkey",
    "sessions_app.session",
    "sessions_app.sessionactivity",
    "sessions_app.sessiondeletion",
    "sessions_app.sessionlabel",
    "sessions_app.sessionstate",
    "sessions_app.staffuser",
    "sessions_app.staffuser_groups",
    "sessions_app.staffuser_projects",
    "sessions_app.staffuser_user_permissions",
    "sessions_app.systemconfig",
    "sessions_app.userconfig",
    "sessions_app.workflow",
    "sessions_app.workflowrun",
)
# What an installation has, or may have, in which nobody has worked yet: its first login, a key, settings, their audit,
# and what its own jobs told. A store with nothing else in it counts as empty.
FURNISHED = (
    "admin.logentry",
    "auth.group",
    "auth.group_permissions",
    "auth.permission",
    "contenttypes.contenttype",
    "sessions_app.apikey",
    "sessions_app.auditchain",
    "sessions_app.auditentry",
    "sessions_app.configversion",
    "sessions_app.event",
    "sessions_app.keptanswer",
    "sessions_app.project",
    "sessions_app.staffuser",
    "sessions_app.staffuser_groups",
    "sessions_app.staffuser_projects",
    "sessions_app.staffuser_user_permissions",
    "sessions_app.systemconfig",
)
# What is derived from the truth, or speaks of processes and logins of one moment: a restore empties these tables.
EMPTIED = (
    "analytics_app.modelusage",
    "analytics_app.rollupstate",
    "analytics_app.usagechange",
    "analytics_app.userusage",
    "history_app.searchblock",
    "history_app.searchdirty",
    "history_app.searchpage",
    "history_app.searchprogress",
    # An agent whose lease is gone takes a new one.
    "sessions_app.agentresidency",
    "sessions_app.sessioncount",
    # The numbers of staff may be other people's after a restore: everybody logs in again.
    "sessions.session",
)
# What belongs to the installation and not to its store: a restore leaves these tables as they are.
LEFT = (
    "axes.accessattempt",
    "axes.accessattemptexpiration",
    "axes.accessfailurelog",
    "axes.accesslog",
    "backups_app.backup",
    "backups_app.restore",
    "django_celery_beat.clockedschedule",
    "django_celery_beat.crontabschedule",
    "django_celery_beat.intervalschedule",
    "django_celery_beat.periodictask",
    "django_celery_beat.periodictasks",
    "django_celery_beat.solarschedule",
    # The job that makes the backup or the restore is one of them.
    "sessions_app.job",
)

Model = type[models.Model]
_KINDS: tuple[tuple[type, Kind], ...] = (
    (JSONTextField, "json"),
    (models.DecimalField, "decimal"),
    (models.BooleanField, "bool"),
    (models.DateTimeField, "time"),
    (models.FloatField, "float"),
    (models.BinaryField, "bytes"),
    (models.IntegerField, "int"),
    (models.CharField, "text"),
    (models.TextField, "text"),
)


def column_of(field: "models.Field[Any, Any]") -> Column:
    """Return how a field's column stands in an archive. Raises TypeError for a field of a kind that has no form yet."""
    source: Any = field
    while isinstance(source, models.ForeignKey):
        source = source.target_field
    for type_, kind in _KINDS:
        if isinstance(source, type_):
            return Column(str(field.column), kind)
    raise TypeError(f"{field} has no form in an archive: give it one in {__name__}.")


def columns_of(model: Model) -> list[Column]:
    """Return the columns of a table in the order of their fields."""
    return [column_of(field) for field in model._meta.local_concrete_fields]


def primary_key_of(model: Model) -> str:
    """Return the column by which rows are told apart."""
    return str(model._meta.pk.column)  # type: ignore[union-attr]


@cache
def archived_models() -> tuple[Model, ...]:
    """Return the models of an archive, each behind those that it refers to."""
    return tuple(in_order(apps.get_model(label) for label in ARCHIVED))


def in_order(those: Iterable[Model]) -> Sequence[Model]:
    """Return models so that each one comes after those that its foreign keys point to."""
    waiting = sorted(those, key=lambda model: model._meta.label_lower)
    labels = {model._meta.label_lower for model in waiting}
    placed: dict[str, Model] = {}
    while waiting:
        ready = [model for model in waiting if _parents(model) & labels <= placed.keys()]
        if not ready:
            raise TypeError(f"These refer to each other in a circle: {', '.join(map(str, waiting))}")
        placed.update({model._meta.label_lower: model for model in ready})
        waiting = [model for model in waiting if model._meta.label_lower not in placed]
    return list(placed.values())


def _parents(model: Model) -> set[str]:
    fields = (field for field in model._meta.local_concrete_fields if isinstance(field, models.ForeignKey))
    return {field.related_model._meta.label_lower for field in fields} - {model._meta.label_lower}
