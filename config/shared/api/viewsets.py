"""The base of every viewset: walls, roles, strict parameters, and the caller; doors on top of it stay thin."""

import re
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from rest_framework import status
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from config.shared.api.bodies import KEY_HEADER
from config.shared.api.filters import check_parameters
from config.shared.api.idempotency import answering_once
from config.shared.api.parsers import MergePatchParser
from config.shared.api.renderers import JsonOnly
from config.shared.callers import Caller
from config.shared.errors import Conflict, InvalidInput, NotFound
from config.shared.versions import ABSENT, ANY_VERSION, NO_VERSION

READERS = frozenset({"reader", "auditor", "agent", "operator", "admin"})
WRITERS = frozenset({"agent", "operator", "admin"})
KEEPERS = frozenset({"operator", "admin"})
ADMINS = frozenset({"admin"})
_VERSION = re.compile("[1-9][0-9]{0,8}")
_SAFE = ("GET", "HEAD", "OPTIONS")


class LedgerViewSet(GenericViewSet[Any]):
    """A viewset whose rows are always those that the caller may see.

    `read_roles` and `write_roles` say which roles may use safe and unsafe methods; `action_roles` overrides them for
    single actions. `action_parameters` names the query parameters of actions that are no filtered list.
    """

    content_negotiation_class = JsonOnly
    metadata_class = None
    read_roles: ClassVar[frozenset[str]] = READERS
    write_roles: ClassVar[frozenset[str]] = WRITERS
    action_roles: ClassVar[dict[str, frozenset[str]]] = {}
    filtered_actions: ClassVar[frozenset[str]] = frozenset({"list"})
    action_parameters: ClassVar[dict[str, tuple[str, ...]]] = {}
    ordering = "-id"
    orderings: ClassVar[Any] = ("id",)

    @property
    def caller(self) -> Caller:
        """Who is asking."""
        return cast("Caller", self.request.auth)

    @property
    def project_id(self) -> int:
        """The project that a write goes to. Raises InvalidInput when staff of several projects did not say which."""
        if self.caller.project_id is None:
            raise InvalidInput.at("/project", "Say with ?project= which project this belongs to.")
        return self.caller.project_id

    def roles_allowed(self) -> frozenset[str]:
        """Return the roles that may make this call."""
        usual = self.read_roles if self.request.method in _SAFE else self.write_roles
        return self.action_roles.get(self.action or "", usual)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let nobody past who may not, and no parameter that means nothing."""
        super().initial(request, *args, **kwargs)
        if self.action is not None and self.action not in self.filtered_actions:
            check_parameters(request, self.action_parameters.get(self.action, ()))
        if KEY_HEADER in request.headers and self.action is not None and request.method not in _SAFE:
            method = str(request.method).lower()
            setattr(self, method, answering_once(self, getattr(self, method)))

    def get_queryset(self) -> QuerySet[Any]:
        """Return the rows that the caller may see."""
        rows = super().get_queryset()
        return rows.none() if getattr(self, "swagger_fake_view", False) else rows.visible_to(self.caller)  # type: ignore[attr-defined]

    def get_object(self) -> Any:
        """Return the one row of the path. Raises NotFound, or Conflict when several projects have one of that id."""
        column = self.lookup_field
        wanted = self.kwargs[self.lookup_url_kwarg or column]
        rows = list(self.get_queryset().filter(**{column: wanted})[:2])
        if not rows:
            raise NotFound
        if len(rows) > 1:
            raise Conflict("Several of your projects have one of this id. Say which with ?project=.")
        return rows[0]

    def get_parsers(self) -> list[BaseParser]:
        """Take merge patches beside plain JSON where the method is PATCH."""
        parsers = super().get_parsers()
        request = getattr(self, "request", None)
        return [*parsers, MergePatchParser()] if request is not None and request.method == "PATCH" else parsers

    def validated(self, **options: Any) -> dict[str, Any]:
        """Return the body's validated values. Raises ValidationError."""
        serializer = self.get_serializer(data=self.request.data, **options)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        return values

    def answer(self, row: Any, code: int = status.HTTP_200_OK) -> Response:
        """Return one row as the caller may see it."""
        return Response(self.get_serializer(row).data, status=code)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Say in the answer how much of the request's text and numbers had to be replaced."""
        replaced = getattr(request, "replaced", None)
        if replaced:
            response["X-Replaced-Characters"] = str(replaced.characters)
            response["X-Replaced-Numbers"] = str(replaced.numbers)
        return super().finalize_response(request, response, *args, **kwargs)


class ListMixin:
    """GET of a list."""

    def list(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one page of the rows that the filters let through."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return cast("Response", self.get_paginated_response(self.get_serializer(page, many=True).data))


class RetrieveMixin:
    """GET of one row."""

    def retrieve(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the row."""
        return cast("Response", self.answer(self.get_object()))


class CreateMixin:
    """POST: `perform_create(values)` makes one service call and returns the new row."""

    def create(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the new row."""
        return cast("Response", self.answer(self.perform_create(self.validated()), status.HTTP_201_CREATED))


class SaveMixin:
    """PUT of what the path names: `perform_save(values)` creates or replaces it and returns it and whether it is new.

    A PUT states the whole row: what is left out goes back to its default.
    """

    def update(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create or replace the row of the path."""
        row, created = self.perform_save(self.completed(self.stated()))
        return cast("Response", self.answer(row, status.HTTP_201_CREATED if created else status.HTTP_200_OK))

    def partial_update(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change what is stated: JSON objects merge (RFC 7396), everything else replaces."""
        row = self.get_object()
        return cast("Response", self.answer(self.perform_update(row, self.stated(partial=True))))

    def stated(self: Any, **options: Any) -> dict[str, Any]:
        """Return the validated body without the id. Raises InvalidInput when it names another one than the path."""
        name = self.lookup_field
        serializer = self.get_serializer(data=self.body_with_id(name), **options)
        serializer.is_valid(raise_exception=True)
        values: dict[str, Any] = serializer.validated_data
        if values.pop(name) != self.path_id:
            raise InvalidInput.at(f"/{name}", "The body names another one than the address.")
        return values

    def body_with_id(self: Any, name: str) -> Any:
        """Return the request's body with the id of the path where the body has none."""
        data = self.request.data
        return {name: self.path_id, **data} if isinstance(data, dict) else data

    @property
    def path_id(self: Any) -> str:
        """The id that the path names."""
        return str(self.kwargs[self.lookup_url_kwarg or self.lookup_field])

    def completed(self: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with the default for every writable field that was left out."""
        return with_defaults(self.get_serializer(), values)


class UpdateMixin:
    """PUT and PATCH: `perform_update(row, values)` makes one service call and returns the changed row.

    PUT states the whole row: what is left out goes back to its default. PATCH changes what is stated.
    """

    def update(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Replace the row."""
        row = self.get_object()
        return cast("Response", self.answer(self.perform_update(row, self.completed(self.validated()))))

    def partial_update(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the row."""
        row = self.get_object()
        return cast("Response", self.answer(self.perform_update(row, self.validated(partial=True))))

    def completed(self: Any, values: dict[str, Any]) -> dict[str, Any]:
        """Return the values with the default for every writable field that was left out."""
        return with_defaults(self.get_serializer(), values)


def with_defaults(serializer: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a PUT with the model's default for every writable field that was left out."""
    columns = {field.name: field for field in serializer.Meta.model._meta.concrete_fields}
    names = [field.source for field in serializer._writable_fields]
    absent = [columns[name] for name in names if name in columns and name not in values]
    defaults = {column.name: column.get_default() for column in absent if column.has_default() or column.null}
    return {**defaults, **values}


class DestroyMixin:
    """DELETE: `perform_destroy(row)` makes one service call."""

    def destroy(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove the row."""
        self.perform_destroy(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class VersionedMixin:
    """Versioned rows: answers carry the version as ETag, `If-Match` states the version that a write is meant for."""

    @property
    def expected_version(self: Any) -> int | None:
        """The version of the If-Match header, or `If-None-Match: *`; see config.shared.versions for special values."""
        stated = self.request.headers.get("If-Match")
        if stated is None:
            return ABSENT if self.request.headers.get("If-None-Match", "").strip() == "*" else None
        if stated.strip() == "*":
            return ANY_VERSION
        digits = stated.strip().strip('"')
        return int(digits) if _VERSION.fullmatch(digits) else NO_VERSION

    def finalize_response(self: Any, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Tag the answer that shows one version; a reader that has it already gets 304."""
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        version = response.data.get("version") if isinstance(getattr(response, "data", None), dict) else None
        if version is None or not status.is_success(response.status_code):
            return response
        tag = f'"{version}"'
        if request.method in ("GET", "HEAD") and tag in request.headers.get("If-None-Match", "").split(", "):
            response.data, response.status_code = None, status.HTTP_304_NOT_MODIFIED
        response["ETag"] = tag
        return response
