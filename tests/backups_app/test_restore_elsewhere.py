"""An archive of any database comes back in any other, and one of an older version comes back as this version has it."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from backups_app.models import Restore
from backups_app.services.backups.tables import ARCHIVED
from history_app.models import Message
from sessions_app.models import ConfigVersion, SystemConfig
from tests import factories, private_servers
from tests.backups_app.restores import archive_of_file, at, content, create, restore
from tests.backups_app.stores import fill_store
from tests.conftest import NOW
from tests.scratch import scratch

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archives")]


def test_it_comes_back_in_a_database_of_another_kind_and_from_there(tmp_path):
    """To SQLite, and back to a database of the kind that the tests run on, with every value that kinds treat apart."""
    fill_store()
    before = content()
    create("first")
    there = f"sqlite:///{tmp_path / 'there.sqlite3'}"
    restored = restore(configured.BACKUP_DIR / "first", target_url=there)
    assert (restored.status, restored.target) == ("completed", there)
    with at(there):
        assert content() == before
        # So it is seen that the second archive is of this store, and not of the first one.
        factories.make_message(session=factories.make_session())
        before = content()
        create("second")
        # The control: one character of one row, and it is not the same.
        message = Message.objects.first()
        Message.objects.filter(pk=message.pk).update(content=f"{message.content}.")
        assert content() != before
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(scratch(configured.DATABASE_URL if connection.vendor != "sqlite" else ""))
        back = own or f"sqlite:///{tmp_path / 'back.sqlite3'}"
        assert restore(configured.BACKUP_DIR / "second", target_url=back).status == "completed"
        with at(back):
            assert content() == before
            assert factories.make_message(session=factories.make_session()).pk
    assert Restore.objects.count() == 2


def _open(folder):
    os.chmod(folder, 0o755)
    return Path(folder)


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    private_servers.postgresql_programs() is None or not private_servers.mariadb_is_installed(),
    reason="needs PostgreSQL and MariaDB",
)
def test_all_six_ways_between_three_databases(tmp_path):
    # The servers are other users, to whom pytest's own folder is closed.
    with (
        tempfile.TemporaryDirectory(prefix="agentledger-tests-") as outside,
        private_servers.postgresql(_open(outside) / "postgresql") as postgresql,
        private_servers.mariadb(Path(outside) / "mariadb") as mariadb,
        contextlib.ExitStack() as stack,
    ):
        fill_store()
        before = content()
        create("0")
        stops = ["", postgresql.url, mariadb.url, "", mariadb.url, postgresql.url, ""]
        for number, server in enumerate(stops):
            url = stack.enter_context(scratch(server)) or f"sqlite:///{tmp_path / str(number)}.sqlite3"
            restore(configured.BACKUP_DIR / str(number), target_url=url)
            with at(url):
                assert content() == before
                assert factories.make_message(session=factories.make_session()).pk
                before = content()
                create(str(number + 1))


# As the tables were before settings had a history; the newest of the other apps are those that these build on.
OLD = [
    ("sessions_app", "0011_documents_by_end"),
    ("history_app", "0005_usage_price_source"),
    ("analytics_app", "0002_usage_changes_noted"),
    ("backups_app", "0001_initial"),
    ("admin", "0003_logentry_add_action_flag_choices"),
    ("auth", "0012_alter_user_first_name_max_length"),
    ("contenttypes", "0002_remove_content_type_name"),
]


def _old_store(path):
    """Make a store of an older version, and fill it through the models of that time; returns its tables."""
    with at(f"sqlite:///{path}"):
        executor = MigrationExecutor(connection)
        executor.migrate([node for node in OLD if node[0] not in ("auth", "contenttypes")])
        old = executor.loader.project_state(OLD).apps
        model = {each._meta.label_lower: each for each in old.get_models(include_auto_created=True)}
        project = model["sessions_app.project"].objects.create(slug="default", name="Default")
        model["sessions_app.systemconfig"].objects.create(project=project, key="a.b", value_type="text", value="c")
        session = model["sessions_app.session"].objects.create(project=project, session_id="s-1")
        model["sessions_app.sessionactivity"].objects.create(session=session, last_sequence=1, message_count=1)
        model["history_app.message"].objects.create(
            project=project, session=session, record_id="m-1", timestamp=NOW, role="user", content="订单", sequence=1
        )
    return [each for label, each in model.items() if label in ARCHIVED]


def test_one_of_an_older_version_is_brought_up(tmp_path):
    archive_of_file(tmp_path / "old.sqlite3", _old_store(tmp_path / "old.sqlite3"), tmp_path / "old")
    there = f"sqlite:///{tmp_path / 'there.sqlite3'}"
    done = restore(tmp_path / "old", target_url=there)
    assert "sessions_app.0012_config_history" in done.report["brought_up_by"]
    with at(there):
        message = Message.objects.get()
        assert (message.record_id, message.content, message.session.session_id) == ("m-1", "订单", "s-1")
        # Its own migration gave the setting that was there the first version of its history.
        version = ConfigVersion.objects.get(key="a.b")
        assert (version.version, version.value) == (SystemConfig.objects.get(key="a.b").version, "c")


def test_the_migrations_of_another_database_leave_the_store_alone(tmp_path):
    """Migrations of ours work in `default`, which is the other database as long as that lasts."""
    fill_store(repeated=1)
    before = content()
    archive_of_file(tmp_path / "old.sqlite3", _old_store(tmp_path / "old.sqlite3"), tmp_path / "old")
    restore(tmp_path / "old", target_url=f"sqlite:///{tmp_path / 'there.sqlite3'}")
    assert content() == before
