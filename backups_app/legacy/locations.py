"""Where a store is: a path, or the URL of a server, whose password is never shown."""

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

_SCHEME = re.compile(r"([a-z][a-z0-9+]*)://", re.IGNORECASE)


class URL(Struct, frozen=True):
    """The URL of a server. `text` has the password; `shown` is for reports."""

    text: str

    @property
    def scheme(self) -> str:
        """What the server speaks, such as `redis`."""
        return self.text.partition("://")[0].lower()

    @property
    def shown(self) -> str:
        """The URL without user, password and parameters."""
        # A password may hold any sign, written as it should be or not: what counts is the last @.
        return f"{self.scheme}://{self.text.partition('://')[2].rpartition('@')[2].partition('?')[0]}"

    def with_password(self, password: str) -> "URL":
        """The same URL with a password, unless it has one."""
        scheme, _sign, rest = self.text.partition("://")
        user, _at, place = rest.rpartition("@")
        return self if ":" in user else URL(f"{scheme}://{user}:{quote(password, safe='')}@{place}")

    def without_secrets(self, text: str) -> str:
        """A server's own words without the password in them."""
        try:
            password = urlsplit(self.text).password
        except ValueError:
            return "the URL cannot be read"
        for secret in {password, unquote(password)} if password else ():
            text = text.replace(secret, "********")
        return text

    def __str__(self) -> str:
        return self.shown

    def __repr__(self) -> str:
        return f"URL({self.shown!r})"


Location = Path | URL


def location_of(text: str) -> Location:
    """The location that somebody named: a URL when it begins with a scheme, else a path."""
    return URL(text) if _SCHEME.match(text) else Path(text)
