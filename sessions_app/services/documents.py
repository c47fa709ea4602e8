"""The document store: JSON values under a namespace and a key, with a time to live."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from config.shared.errors import Conflict, FieldError, InvalidInput
from config.shared.merging import merge_patch
from config.shared.versions import version_check
from sessions_app.models import Document
from sessions_app.services.drafts import GREATEST_COUNT, max_length

ATTEMPTS = 3


def document_save(
    *,
    project_id: int,
    namespace: str,
    key: str,
    value: Any,
    ttl: int | None = None,
    merge: bool = False,
    now: datetime,
    expected_version: int | None = None,
) -> tuple[Document, bool]:
    """Put a value under a key; return the document and whether it is new.

    `ttl` is seconds from now, None for ever. With `merge` the value is merged into the stored one (RFC 7396) and an
    end that is not stated stays. A document whose time has run out counts as absent, but its version goes on, so that
    a version never comes twice. Raises InvalidInput, StaleVersion.
    """
    _check(namespace, key, ttl)
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _save(project_id, namespace, key, (value, ttl, merge), now, expected_version)
        except IntegrityError:
            # Somebody else made the document in between: then this comes after theirs.
            continue
    raise Conflict("Too many writers change this document at once.")


def _check(namespace: str, key: str, ttl: int | None) -> None:
    errors = [
        FieldError(f"/{name}", f"The {name} has 1 to {max_length(Document, name)} characters.")
        for name, text in (("namespace", namespace), ("key", key))
        if not 0 < len(text) <= max_length(Document, name)
    ]
    if ttl is not None and not 0 < ttl <= GREATEST_COUNT:
        errors.append(FieldError("/ttl", f"Seconds from 1 to {GREATEST_COUNT}."))
    if errors:
        raise InvalidInput(errors)


def _save(  # noqa: PLR0917 - the parts of one call of document_save
    project_id: int,
    namespace: str,
    key: str,
    content: tuple[Any, int | None, bool],
    now: datetime,
    expected: int | None,
) -> tuple[Document, bool]:
    value, ttl, merge = content
    rows = Document.objects.filter(project_id=project_id, namespace=namespace, key=key)
    row = rows.select_for_update().first()
    is_alive = row is not None and (row.expires_at is None or row.expires_at > now)
    version_check(current=row.version if row and is_alive else None, expected=expected)
    document = row or Document(project_id=project_id, namespace=namespace, key=key, version=0)
    merging = merge and is_alive
    document.value = merge_patch(document.value, value) if merging else value
    if ttl is not None or not merging:
        document.expires_at = now + timedelta(seconds=ttl) if ttl is not None else None
    document.created_at = document.created_at if is_alive else now
    document.updated_at = now
    document.version += 1
    document.save(force_insert=row is None, force_update=row is not None)
    return document, not is_alive


@transaction.atomic
def document_delete(*, document: Document, expected_version: int | None = None) -> None:
    """Remove a document. Raises StaleVersion."""
    current = Document.objects.select_for_update().get(pk=document.pk)
    version_check(current=current.version, expected=expected_version)
    current.delete()
