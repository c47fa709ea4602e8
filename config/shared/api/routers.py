"""Routes: the slash at the end is optional, and ids may hold any character, slashes too."""

from rest_framework.routers import DynamicRoute, SimpleRouter

# Ids are any text. WSGI has decoded the path, so an encoded slash is a slash here; the fixed words behind an id win.
# NUL is in no stored id, and PostgreSQL would refuse to look for it.
ANY_ID = r"[^\x00]+?"
NUMBER = r"[0-9]{1,18}"


class LedgerRouter(SimpleRouter):
    """A router that tries actions on one row before the row itself, because an id may hold slashes."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"
        details = [route for route in self.routes if route.detail]
        actions_first = sorted(details, key=lambda route: not isinstance(route, DynamicRoute))
        self.routes = [route for route in self.routes if not route.detail] + actions_first
