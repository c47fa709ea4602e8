"""Which connectors there are: the built-in one, and those that installed packages bring."""

from importlib.metadata import entry_points

from django.conf import settings
from django.utils.module_loading import import_string

from sessions_app.services.connectors.base import Connector, ConnectorError

GROUP = "agentledger.connectors"
BUILT_IN = {"ragflow": "sessions_app.services.connectors.ragflow.RagflowConnector"}


def connector_names() -> frozenset[str]:
    """Return the names of all connectors that are installed."""
    return frozenset(BUILT_IN) | entry_points(group=GROUP).names


def connector_load(name: str) -> Connector:
    """Return the connector of this name. Raises ConnectorError when it is not enabled, or cannot be loaded."""
    if name not in settings.CONNECTORS:
        raise ConnectorError(f"CONNECTORS does not name {name}.")
    if name in BUILT_IN:
        made: Connector = import_string(BUILT_IN[name])()
        return made
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise ConnectorError(f"No installed package brings the connector {name}.")
    try:
        brought: Connector = next(iter(found)).load()()
    except Exception as error:
        raise ConnectorError(f"The connector {name} does not load: {type(error).__name__}.") from error
    return brought
