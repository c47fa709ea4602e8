"""The cast that every test speaks about."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure, and every run tries the same examples.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent
# The SQLite database as `migrate` leaves it, of which tests with processes of their own get copies.
MIGRATED = "migrated.sqlite3"
NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker, tmp_path_factory):
    """Keep a copy for `migrated`, and let tests that commit empty their tables, which the audit log would refuse.

    It is append-only. The refusal itself is tested by putting the trigger back.
    """
    from django.db import connection

    # Where none of the chosen tests asks for the database, there is nothing to copy.
    if connection.vendor == "sqlite" and connection.connection is not None:
        with django_db_blocker.unblock(), closing(sqlite3.connect(tmp_path_factory.getbasetemp() / MIGRATED)) as copy:
            connection.connection.backup(copy)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("DROP TRIGGER IF EXISTS audit_no_delete")
        elif _is_superuser(cursor):
            connection.ops.sql_flush = _deleted


def _is_superuser(cursor) -> bool:
    cursor.execute("SHOW is_superuser")
    return cursor.fetchone() == ("on",)


def _deleted(style, tables, *, reset_sequences=False, allow_cascade=False) -> list[str]:
    """Return what empties the tables of PostgreSQL: to truncate them makes new files for each and for its indexes.

    No trigger and no foreign key sees it, as with truncating. Only a superuser may ask for that.
    """
    from django.db import connection

    names = {table: connection.ops.quote_name(table) for table in tables}
    looked = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {name})" for table, name in names.items())
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looked))
        filled = [table for (table,) in cursor.fetchall()]
    return ["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {names[table]}" for table in filled)]


@pytest.fixture(scope="session")
def given_server() -> str:
    """The URL of the server on which a test makes a database of its own (`tests.scratch`); empty for SQLite."""
    return os.environ.get("DATABASE_URL", "")


@pytest.fixture(scope="session")
def migrated(request, tmp_path_factory):
    """Return a function that makes the tables of a store in a DATA_DIR, or in the database of a URL.

    For SQLite it copies those that the tests' own database began with, in a fraction of the time that `migrate` takes.
    """
    request.getfixturevalue("django_db_setup")
    made = tmp_path_factory.getbasetemp() / MIGRATED

    def migrate(data_dir: Path, url: str = "") -> None:
        if not url and made.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            shutil.copy(made, data_dir / "agentledger.sqlite3")
            return
        env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(data_dir)}
        command = [sys.executable, "-W", "ignore", "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=env, check=True)

    return migrate


@pytest.fixture(autouse=True)
def _in_english():
    """No test leaves its language to the next one."""
    yield
    from django.utils import translation

    translation.deactivate()


@pytest.fixture
def now() -> datetime:
    """The moment at which the tests take place."""
    return NOW


@pytest.fixture
def store(db, tmp_path):
    """The test database as many processes see it: SQLite's in memory is copied to a file, where locks are real ones."""
    from django.db import connection

    if connection.vendor != "sqlite":
        yield
        return
    in_memory, name = connection.connection, connection.settings_dict["NAME"]
    path = tmp_path / "store.sqlite3"
    with closing(sqlite3.connect(path)) as copy:
        in_memory.backup(copy)
    connection.connection, connection.settings_dict["NAME"] = None, str(path)
    yield
    connection.connection.close()
    connection.connection, connection.settings_dict["NAME"] = in_memory, name


@pytest.fixture
def project(db):
    """The default project, which every installation has."""
    from tests.factories import default_project

    return default_project()


@pytest.fixture
def other_project(db):
    """Another team's project, behind the wall."""
    from sessions_app.models import Project

    return Project.objects.create(slug="other", name="Another team")


def _client_with_key(project, name: str, role: str):
    """Return an API client that carries a fresh key of the project."""
    from sessions_app.services.api_keys import api_key_create
    from tests.clients import ApiClient

    _key, token = api_key_create(project=project, name=name, role=role, now=NOW)
    return ApiClient(token)


@pytest.fixture
def owner(project):
    """Holds an admin key of the default project."""
    return _client_with_key(project, "owner", "admin")


@pytest.fixture
def operator(project):
    """Holds an operator key: everything in its project but secrets."""
    return _client_with_key(project, "operator", "operator")


@pytest.fixture
def agent(project):
    """Holds an agent key: writes and reads its project's records."""
    return _client_with_key(project, "agent", "agent")


@pytest.fixture
def reader(project):
    """Holds a reader key: reads, with contents masked."""
    return _client_with_key(project, "reader", "reader")


@pytest.fixture
def outsider(other_project):
    """Holds an admin key of another project, and must see nothing of this one."""
    return _client_with_key(other_project, "outsider", "admin")


@pytest.fixture
def anonymous():
    """Has no key and no login."""
    from tests.clients import ApiClient

    return ApiClient()


def _staff_client(username: str, *, group: str | None = None, superuser: bool = False):
    """Return a browser that is logged in as a member of staff."""
    from django.contrib.auth.models import Group
    from django.test import Client

    from sessions_app.models import Project, StaffUser

    user = StaffUser.objects.create_user(username=username, is_staff=True, is_superuser=superuser)
    user.projects.add(Project.objects.get(slug="default"))
    if group:
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.user = user
    return client


@pytest.fixture
def analyst(db):
    """A member of staff who reads with contents masked."""
    return _staff_client("analyst", group="Analyst")


@pytest.fixture
def auditor(db):
    """A member of staff who reads the audit log."""
    return _staff_client("auditor", group="Auditor")


@pytest.fixture
def staff_admin(db):
    """A member of staff who may do everything."""
    return _staff_client("staff_admin", superuser=True)
