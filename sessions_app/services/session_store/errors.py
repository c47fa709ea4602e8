"""What the session store raises, and how the errors of the services become that."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error
from django.utils.translation import gettext as _

from config.shared import errors
from config.shared.errors import LedgerError, NotFound, StorageError

# A message names this many; the error itself knows them all.
NAMED = 100


class SessionsNotFound(NotFound):
    """Some sessions are not there, or not the caller's; `session_ids` names them."""

    def __init__(self, session_ids: list[str]) -> None:
        super().__init__(_("There are no such sessions: %s") % ", ".join(session_ids[:NAMED]))
        self.session_ids = session_ids


class StorageNotFoundError(errors.StorageNotFoundError):
    """There is no session of this id; `session_ids` names all that are not there."""

    def __init__(self, session_ids: list[str]) -> None:
        super().__init__(f"Session not found: {', '.join(session_ids)}")
        self.session_ids = session_ids


@contextmanager
def storage_errors(what: str, session_id: str | None = None) -> Iterator[None]:
    """Raise what goes wrong inside as StorageError; a session that is not there as StorageNotFoundError."""
    try:
        yield
    except StorageError:
        raise
    except SessionsNotFound as error:
        raise StorageNotFoundError(error.session_ids) from error
    except NotFound as error:
        if session_id is None:
            raise StorageError(f"Failed to {what}: {error}") from error
        raise StorageNotFoundError([session_id]) from error
    except (LedgerError, Error) as error:
        raise StorageError(f"Failed to {what}: {error}") from error
