"""Which backups, restores, import runs, findings and origins a list shows."""

from typing import Any

import django_filters

from backups_app.models import Backup, ImportFinding, ImportOrigin, ImportRun, Restore
from config.shared.api.filters import InstantFilter, IntegerFilter, LedgerFilterSet, TextFilter
from sessions_app.models import Session


class _BegunFilterSet(LedgerFilterSet):
    """What began in a period."""

    start = InstantFilter(field_name="started_at", lookup_expr="gte", label="From this moment on.")
    end = InstantFilter(field_name="started_at", lookup_expr="lt", label="Before this moment.")


class ImportRunFilterSet(_BegunFilterSet):
    """Runs by how they ended and when they began."""

    status = django_filters.ChoiceFilter(choices=ImportRun.Status.choices)

    class Meta:
        model = ImportRun
        fields: tuple[str, ...] = ()


class ImportFindingFilterSet(LedgerFilterSet):
    """Findings of one run by what became of them, and what they are about."""

    level = django_filters.ChoiceFilter(choices=ImportFinding.Level.choices)
    kind = TextFilter()
    code = TextFilter()

    class Meta:
        model = ImportFinding
        fields: tuple[str, ...] = ()


class BackupFilterSet(_BegunFilterSet):
    """Backups by how they stand and when they began."""

    status = django_filters.ChoiceFilter(choices=Backup.Status.choices)

    class Meta:
        model = Backup
        fields: tuple[str, ...] = ()


class RestoreFilterSet(_BegunFilterSet):
    """Restores by how they ended and when they began."""

    status = django_filters.ChoiceFilter(choices=Restore.Status.choices)

    class Meta:
        model = Restore
        fields: tuple[str, ...] = ()


class ImportOriginFilterSet(LedgerFilterSet):
    """Origins by the run, by its source, by the file inside the source, by the session, and by the zone assumed."""

    import_run = IntegerFilter(field_name="run_id", label="What this run brought.")
    source = TextFilter(field_name="run__source", label="What runs of this source brought.")
    path = TextFilter(label="What this file of a source brought.")
    assumed_timezone = TextFilter(label="What was taken to be of this zone, as its times named none.")
    session_id = TextFilter(method="in_session", label="Where what this session holds comes from.")

    class Meta:
        model = ImportOrigin
        fields: tuple[str, ...] = ()

    def in_session(self, queryset: Any, name: str, value: str) -> Any:
        """Return the origins of one session."""
        sessions = Session.objects.visible_to(self.request.auth).filter(session_id=value)
        return queryset.filter(session_id__in=list(sessions.values_list("pk", flat=True)))
