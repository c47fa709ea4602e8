"""Rows copied within their table by the database itself: one statement, however many there are."""

from typing import Any

from django.db import connection
from django.db.models import QuerySet


def rows_copied(rows: QuerySet[Any], **changed: Any) -> int:
    """Copy these rows in the order of the queryset, with new primary keys, and return how many there are.

    `changed` are expressions by the name of the field that the copy has them in; all other columns stay as they are.
    """
    model = rows.model
    kept = [field for field in model._meta.concrete_fields if not field.primary_key and field.name not in changed]
    # An annotation may not have the name of a field.
    made = {f"copied_{name}": expression for name, expression in changed.items()}
    picked = rows.annotate(**made).values_list(*[field.attname for field in kept], *made)
    select, parameters = picked.query.sql_with_params()
    fields = [*kept, *[model._meta.get_field(name) for name in changed]]
    columns = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        # The names come from the model; values are parameters.
        cursor.execute(f"INSERT INTO {table} ({columns}) {select}", parameters)
        copied: int = cursor.rowcount
        return copied
