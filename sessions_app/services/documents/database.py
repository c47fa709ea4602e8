"""Documents as rows of the database: the default."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from config.shared.errors import Conflict
from config.shared.querysets import starts_with
from sessions_app.models import Document
from sessions_app.models.knowledge import DocumentQuerySet
from sessions_app.services.documents.stored import Decide, Place, StoredDocument

ATTEMPTS = 5
_COLUMNS = ("value", "expires_at", "created_at", "updated_at", "version")


class DatabaseDocuments:
    """One transaction is one transaction of the database, and takes part in the caller's."""

    def find(self, project_id: int, place: Place) -> StoredDocument | None:
        """Return the document of a place."""
        row = Document.objects.filter(project_id=project_id, namespace=place[0], key=place[1]).first()
        return None if row is None else _stored(row)

    def change(self, project_id: int, places: list[Place], decide: Decide) -> None:
        """Lock the rows in one order, decide, write."""
        for _attempt in range(ATTEMPTS):
            try:
                with transaction.atomic():
                    return self._change(project_id, places, decide)
            except IntegrityError:
                # Somebody else made one of the documents in between: then this comes after theirs.
                continue
        raise Conflict("Too many writers change these documents at once.")

    @staticmethod
    def _change(project_id: int, places: list[Place], decide: Decide) -> None:
        wanted = Q()
        for namespace in {namespace for namespace, _key in places}:
            wanted |= Q(namespace=namespace, key__in=[key for other, key in places if other == namespace])
        locked = Document.objects.select_for_update().filter(wanted, project_id=project_id)
        rows = {(row.namespace, row.key): row for row in locked.order_by("namespace", "key")}
        found = {place: _stored(rows[place]) if place in rows else None for place in places}
        for place, document in decide(dict(found)).items():
            row = rows.get(place)
            if document is None:
                if row is not None:
                    row.delete()
            elif document != found[place]:
                row = row or Document(project_id=project_id, namespace=place[0], key=place[1])
                for name in _COLUMNS:
                    setattr(row, name, getattr(document, name))
                row.save(force_insert=place not in rows, force_update=place in rows)

    def page(
        self, project_id: int, namespace: str, prefix: str, *, after: str, limit: int, now: datetime
    ) -> list[StoredDocument]:
        """Return living documents in the order of the unique index."""
        rows = self._living(project_id, namespace, prefix, now).filter(key__gt=after).order_by("key")
        return [_stored(row) for row in rows[:limit]]

    def count(self, project_id: int, namespace: str, prefix: str, now: datetime) -> int:
        """Count living documents."""
        return self._living(project_id, namespace, prefix, now).count()

    @staticmethod
    def _living(project_id: int, namespace: str, prefix: str, now: datetime) -> DocumentQuerySet:
        rows: DocumentQuerySet = Document.objects.filter(project_id=project_id, namespace=namespace)
        return (rows.filter(starts_with("key", prefix)) if prefix else rows).alive_at(now)

    def prune(self, now: datetime, limit: int) -> int:
        """Delete rows by the index of ends; one that was saved anew in between stays."""
        ended = Document.objects.filter(expires_at__lte=now)
        some = list(ended.order_by("expires_at").values_list("pk", flat=True)[:limit])
        deleted, _by_model = ended.filter(pk__in=some).delete()
        return deleted


def _stored(row: Document) -> StoredDocument:
    return StoredDocument(row.namespace, row.key, *(getattr(row, name) for name in _COLUMNS))
