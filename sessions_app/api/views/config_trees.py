"""All settings and workflows of a project as a ZIP archive of YAML files: out, and in."""

from typing import ClassVar

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.shared.api.viewsets import ADMINS, LedgerViewSet
from config.shared.errors import Forbidden, InvalidInput
from sessions_app.api.downloads import zipped
from sessions_app.api.serializers.config_history import TreeImportSerializer
from sessions_app.api.uploads import ZipParser
from sessions_app.models import SystemConfig
from sessions_app.services.config_trees import configs_export, configs_import

_SECRETS = OpenApiParameter("secrets", OpenApiTypes.BOOL, description="true: secrets in clear (admins).")
_DRY_RUN = OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="true: only say what would be done.")


class ConfigTreeViewSet(LedgerViewSet):
    """The configs tree of document 000."""

    queryset = SystemConfig.objects.all()
    serializer_class = TreeImportSerializer
    parser_classes = (ZipParser,)
    # A tree may hold secrets, which only admins set.
    action_roles: ClassVar[dict[str, frozenset[str]]] = {"bring_in": ADMINS}
    action_parameters: ClassVar[dict[str, tuple[str, ...]]] = {"export": ("secrets",), "bring_in": ("dry_run",)}

    @extend_schema(
        parameters=[_SECRETS],
        responses={(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, description="The YAML tree.")},
    )
    def export(self, request: Request) -> HttpResponse:
        """Download all settings and workflows as a YAML tree."""
        reveal = _is_true(request, "secrets")
        if reveal and self.caller.role not in ADMINS:
            raise Forbidden("Only admins see secrets.")
        tree = configs_export(project_id=self.project_id, reveal=reveal, now=timezone.now(), caller=self.caller)
        return zipped(tree, "configs.zip")

    @extend_schema(parameters=[_DRY_RUN], request={"application/zip": OpenApiTypes.BINARY})
    def bring_in(self, request: Request) -> Response:
        """Set what a YAML tree says, all or none. What it does not name stays; a mask keeps the secret behind it."""
        done = configs_import(
            project_id=self.project_id,
            tree=request.data,
            dry_run=_is_true(request, "dry_run"),
            now=timezone.now(),
            caller=self.caller,
        )
        return Response(done.told())


def _is_true(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidInput.at(f"/{name}", f"{name} is true or false.")
    return value == "true"
