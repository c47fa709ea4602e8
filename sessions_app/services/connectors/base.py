"""What a connector is."""

from typing import Any, Protocol


class ConnectorError(Exception):
    """The other system did not do it; its text says why, holds no secret, and is shown to staff."""


class Connector(Protocol):
    """A way to another system. A class without arguments, named in the entry point group `agentledger.connectors`."""

    def delete_session(self, external_id: Any) -> None:
        """Delete one session there; return also when it is not there any more.

        `external_id` is JSON: what the session's `external_ids` has under the connector's name, or one item of it when
        it is a list. Raises ConnectorError when it is not done: it is called again later.
        """
