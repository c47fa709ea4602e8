"""Migrations may take as long as they need: the query timeout is lifted before them and put back afterwards."""

from typing import Any

from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate
from django.dispatch import receiver


def _set_statement_limit(using: str, seconds: float) -> None:
    connection = connections[using]
    statements = {
        "postgresql": ("SET statement_timeout = %s", int(seconds * 1000)),
        "mysql": ("SET SESSION max_statement_time = %s", seconds),
    }
    if connection.vendor in statements:
        sql, value = statements[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(sql, [value])


@receiver(pre_migrate)
def lift_query_timeout(using: str, **_: Any) -> None:
    """Let the statements of a migration run without a limit."""
    _set_statement_limit(using, 0)


@receiver(post_migrate)
def restore_query_timeout(using: str, **_: Any) -> None:
    """Bound the statements of this connection again."""
    _set_statement_limit(using, settings.QUERY_TIMEOUT)
