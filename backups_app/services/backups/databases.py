"""Databases that a restore works in: each is `default` for as long as it lasts, in the thread that asks for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import load_backend

from config.databases import database_settings
from config.shared.errors import Conflict, InvalidInput

CONNECT_SECONDS = 30
KINDS = ("sqlite", "postgres", "postgresql", "mysql")


@contextmanager
def as_default(connection: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """Let `default` be this database, in this thread, and close it afterwards.

    So services, migrations and what follows them work in it as they do in the store, without knowing.
    """
    before = connections["default"]
    connections["default"] = connection
    try:
        yield connection
    finally:
        connection.close()
        connections["default"] = before


def database_of_alias(alias: str) -> BaseDatabaseWrapper:
    """Return a connection of its own to a database that the settings name."""
    return connections[alias].copy(alias="default")


def database_of_url(url: str) -> BaseDatabaseWrapper:
    """Return a connection to the database at an address as DATABASE_URL has them. Raises InvalidInput."""
    if urlsplit(url).scheme not in KINDS:
        raise InvalidInput.at("/target_url", f"A database's address begins with one of {', '.join(KINDS)}.")
    try:
        parsed = environ.Env.db_url_config(url)
    except (ImproperlyConfigured, ValueError) as error:
        raise InvalidInput.at("/target_url", "This is no address of a database.") from error
    return _connection(database_settings(parsed, 0, CONNECT_SECONDS))


def database_of_file(path: Path) -> BaseDatabaseWrapper:
    """Return a connection to a SQLite file that nobody needs after a crash."""
    quick = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536"
    options = {"init_command": quick, "transaction_mode": "IMMEDIATE"}
    return _connection({"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options})


def _connection(config: dict[str, Any]) -> BaseDatabaseWrapper:
    settings = connections.configure_settings({"default": config})["default"]
    wrapper: BaseDatabaseWrapper = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
    return wrapper


def url_shown(url: str) -> str:
    """Return an address without its password and its options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


@contextmanager
def _quick(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let SQLite not wait for the disk: there is nothing yet that could be lost."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
        yield
        cursor.execute("PRAGMA synchronous=FULL")


def schema_ensure(connection: BaseDatabaseWrapper) -> None:
    """Give `default` its tables where it has none at all. Raises Conflict where it has others than this version's."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if not tables:
        with _quick(connection):
            call_command("migrate", verbosity=0, interactive=False)
        return
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Conflict("The database has not this version's tables: run its migrations first, or name an empty one.")
