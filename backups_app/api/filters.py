"""Which backups, restores, import runs and findings a list shows."""

import django_filters

from backups_app.models import Backup, ImportFinding, ImportRun, Restore
from config.shared.api.filters import InstantFilter, LedgerFilterSet, TextFilter


class ImportRunFilterSet(LedgerFilterSet):
    """Runs by how they ended and when they began."""

    status = django_filters.ChoiceFilter(choices=ImportRun.Status.choices)
    start = InstantFilter(field_name="started_at", lookup_expr="gte", label="From this moment on.")
    end = InstantFilter(field_name="started_at", lookup_expr="lt", label="Before this moment.")

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


class BackupFilterSet(LedgerFilterSet):
    """Backups by how they stand and when they began."""

    status = django_filters.ChoiceFilter(choices=Backup.Status.choices)
    start = InstantFilter(field_name="started_at", lookup_expr="gte", label="From this moment on.")
    end = InstantFilter(field_name="started_at", lookup_expr="lt", label="Before this moment.")

    class Meta:
        model = Backup
        fields: tuple[str, ...] = ()


class RestoreFilterSet(LedgerFilterSet):
    """Restores by how they ended and when they began."""

    status = django_filters.ChoiceFilter(choices=Restore.Status.choices)
    start = InstantFilter(field_name="started_at", lookup_expr="gte", label="From this moment on.")
    end = InstantFilter(field_name="started_at", lookup_expr="lt", label="Before this moment.")

    class Meta:
        model = Restore
        fields: tuple[str, ...] = ()
