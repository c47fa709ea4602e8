"""Roles: who may make which call."""

from typing import Any

from rest_framework.permissions import BasePermission

from config.shared.callers import Caller


class RolePermission(BasePermission):
    """The caller's role is among those that the view allows for the call (see LedgerViewSet.roles_allowed)."""

    message = "Your role may not do this."

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return whether the caller is known and the role fits; a view without roles is open to every known caller."""
        if not isinstance(request.auth, Caller):
            return False
        allowed = getattr(view, "roles_allowed", None)
        return allowed is None or request.auth.role in allowed()
