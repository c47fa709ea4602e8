"""What admin pages of this app share: the plain writer for tables without rules of their own."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from config.shared.admin.base import LedgerModelAdmin
from config.shared.callers import Caller
from sessions_app.services.staff_edits import row_create, row_delete, row_update


class StaffEdited:
    """Writes through the plain services: constraints, version and audit, nothing more."""

    def row_create(self, row: Any, caller: Caller) -> Any:
        return row_create(row=row, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def row_update(self, row: Any, changed: list[str], caller: Caller) -> None:
        row_update(row=row, changed=changed, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def row_delete(self, row: Any, caller: Caller) -> None:
        row_delete(row=row, caller=caller, now=timezone.now(), project_id=self.project_of(row))

    def project_of(self, row: Any) -> int | None:
        """Return the project whose audit remembers the change; None leaves it to the row."""
        return None


class ViewOnly(LedgerModelAdmin):
    """Rows that nobody changes by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
