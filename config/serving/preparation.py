"""What `manage.py serve` does before it serves: each step looks first, and a second start finds nothing to do."""

from collections.abc import Callable

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from config.schedule_sync import schedule_synchronise
from config.serving.locks import preparing_lock
from sessions_app.services.first_login import first_login_create


def prepare(say: Callable[[str], None]) -> None:
    """Bring the database up to date, write the schedule, and make the first login where there is none."""
    with preparing_lock(settings.DATA_DIR):
        _migrate(say)
        schedule_synchronise()
        first = first_login_create()
    if first is not None:
        user, password = first
        _show_login(user.get_username(), password, say)
    # The process that stays has no use for the database.
    connection.close()


def _migrate(say: Callable[[str], None]) -> None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return
    say(f"Preparing the database ({len(plan)} steps) ...")
    call_command("migrate", interactive=False, verbosity=0)


def _show_login(name: str, password: str, say: Callable[[str], None]) -> None:
    say("")
    say("  Your first login, shown this one time only:")
    say(f"    user name  {name}")
    say(f"    password   {password}")
    say("")
