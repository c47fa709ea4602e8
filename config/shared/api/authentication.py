"""Staff who are logged in with their browser may use the API as well."""

from typing import Any

from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import NotFound as NoSuchProject

from config.shared.callers import Caller
from config.shared.errors import NotFound
from config.shared.staff import staff_caller


class StaffSessionAuthentication(SessionAuthentication):
    """The login of the admin, with its CSRF protection. `?project=` narrows the view to one project."""

    def authenticate(self, request: Any) -> tuple[Any, Caller] | None:
        """Return the user and the Caller, or None for who is not logged in as staff."""
        found = super().authenticate(request)
        if found is None or not found[0].is_staff:
            return None
        try:
            return found[0], staff_caller(found[0], request.query_params.get("project"))
        except NotFound as error:
            raise NoSuchProject from error
