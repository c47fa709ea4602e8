"""Which backend a namespace has: DOCUMENT_BACKENDS names it, and packages may bring further ones by entry point."""

from importlib.metadata import entry_points
from typing import Any

from django.conf import settings

from config.shared.errors import Unavailable
from sessions_app.services.documents.stored import DocumentBackend

GROUP = "agentledger.document_backends"
ANY_NAMESPACE = "*"
DATABASE, REDIS, FILES = "database", "redis", "files"


def backend_name(namespace: str) -> str:
    """Return the name of the backend that the settings give a namespace."""
    named: dict[str, str] = settings.DOCUMENT_BACKENDS
    return named.get(namespace) or named.get(ANY_NAMESPACE) or DATABASE


def backend_of(namespace: str) -> DocumentBackend:
    """Return the backend of a namespace. Raises Unavailable when nobody knows it, which a check tells at the start."""
    return backend_named(backend_name(namespace))


def backend_named(name: str) -> DocumentBackend:
    """Return the backend of this name. Raises Unavailable when nobody knows it."""
    if name == DATABASE:
        from sessions_app.services.documents.database import DatabaseDocuments

        return DatabaseDocuments()
    if name == REDIS and settings.DOCUMENT_REDIS_URL:
        # The client of Redis is loaded only where it is used.
        from sessions_app.services.documents.redis_store import redis_documents

        return redis_documents(settings.DOCUMENT_REDIS_URL, settings.DOCUMENT_REDIS_PREFIX)
    if name == FILES:
        from sessions_app.services.documents.files import FileDocuments

        return FileDocuments(settings.DOCUMENT_DIR)
    found = _entry(name)
    if found is None:
        raise Unavailable(f"The document backend {name!r} is not there.")
    backend: DocumentBackend = found.load()()
    return backend


def _entry(name: str) -> Any:
    return next(iter(entry_points(group=GROUP, name=name)), None)


def backend_faults() -> list[str]:
    """Return what is wrong with DOCUMENT_BACKENDS, in a sentence each."""
    faults = []
    for namespace, name in settings.DOCUMENT_BACKENDS.items():
        if name == REDIS and not settings.DOCUMENT_REDIS_URL:
            faults.append(
                f"DOCUMENT_BACKENDS gives {namespace!r} to redis, but neither DOCUMENT_REDIS_URL nor REDIS_URL is set."
            )
        elif name not in (DATABASE, REDIS, FILES) and _entry(name) is None:
            faults.append(f"DOCUMENT_BACKENDS gives {namespace!r} to {name!r}, which is no backend.")
    return faults


def backends_used() -> list[str]:
    """Return the names of all backends that hold documents, the default one included."""
    return sorted({backend_name(ANY_NAMESPACE), *settings.DOCUMENT_BACKENDS.values()})
