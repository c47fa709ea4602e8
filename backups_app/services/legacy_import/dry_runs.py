"""Where a dry run works: with SQLite in a copy of the store, so that others write on; elsewhere in the store itself."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext as _

from backups_app.services.backups.databases import as_default
from backups_app.services.backups.scratch import scratch_folder
from backups_app.services.backups.snapshots import sqlite_copied
from config.shared.errors import Unavailable


@contextmanager
def dry_run() -> Iterator[None]:
    """What happens inside happens as it would, by the same services, and is gone afterwards.

    A transaction would hold SQLite's one lock for as long as it takes. Servers let others write meanwhile, except where
    they write what the dry run writes as well. Raises Unavailable where there is no room for a copy.
    """
    with _stage(connections["default"]), transaction.atomic():
        yield
        transaction.set_rollback(True)


def _stage(store: BaseDatabaseWrapper) -> AbstractContextManager[object]:
    # What an outer transaction has written is in no copy, and whoever has opened it holds the lock anyway; a store in
    # memory is of one process.
    is_shared = store.vendor == "sqlite" and not store.is_in_memory_db()  # type: ignore[attr-defined]
    return _copy(store) if is_shared and not store.in_atomic_block else nullcontext()


@contextmanager
def _copy(store: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    with scratch_folder() as folder:
        path = folder / "store.sqlite3"
        try:
            sqlite_copied(str(store.settings_dict["NAME"]), path)
        except sqlite3.Error as error:
            detail = _("A dry run works in a copy of the store, which could not be made: %s") % error
            raise Unavailable(detail) from error
        with as_default(type(store)({**store.settings_dict, "NAME": str(path)}, "default")) as copy:
            yield copy
