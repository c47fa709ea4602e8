"""API keys on requests: `Authorization: Bearer <key>`."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotFound

from config.shared.callers import Caller
from sessions_app.models import ApiKey, Project
from sessions_app.selectors import caller_of_key
from sessions_app.services.api_keys import api_key_authenticate

SCHEME = "bearer"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The user of a request that came with a key. Keys are not accounts."""

    key: ApiKey
    is_authenticated: bool = True
    is_staff: bool = False
    is_anonymous: bool = False
    is_active: bool = True
    pk: None = None

    def __str__(self) -> str:
        return str(self.key)


class ApiKeyAuthentication(BaseAuthentication):
    """Who sends a usable key is its project's caller."""

    def authenticate(self, request: Any) -> tuple[KeyHolder, Caller] | None:
        """Return the holder and the Caller; None without a bearer key. Raises AuthenticationFailed for a bad one."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME:
            return None
        key = api_key_authenticate(token=token.strip(), now=timezone.now())
        if key is None:
            raise AuthenticationFailed("This key is not known, expired or revoked.")
        stated = request.query_params.get("project")
        if stated is not None and not Project.objects.filter(pk=key.project_id, slug=stated).exists():
            raise NotFound
        return KeyHolder(key), caller_of_key(key)

    def authenticate_header(self, request: Any) -> str:
        """Return what a 401 asks for."""
        return 'Bearer realm="AgentLedger"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How OpenAPI names the key."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": SCHEME, "description": "An API key of a project."}


class StaffLoginScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How OpenAPI names the staff login."""

    target_class = "config.shared.api.authentication.StaffSessionAuthentication"
    name = "staffLogin"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "apiKey", "in": "cookie", "name": "agentledger_login"}
