"""The one rule for namespaces and keys, the same on every backend: what is safe as a row, a Redis key and a file.

A key is NFC (another form of the same text is the same key), holds no control characters, neither begins nor ends with
a slash, and none of the parts between its slashes is empty, `.` or `..`, ends with a dot or a space, or is the name of
a device of Windows.
"""

import re
import unicodedata

from config.shared.errors import InvalidInput
from sessions_app.models import Document
from sessions_app.services.drafts import max_length

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\\\\]")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


def safe_key(key: str) -> str:
    """Return the key in its one form. Raises InvalidInput."""
    return _safe("key", key)


def safe_namespace(namespace: str) -> str:
    """Return the namespace in its one form: like a key, but without slashes. Raises InvalidInput."""
    if "/" in namespace:
        raise InvalidInput.at("/namespace", "A namespace holds no slash.")
    return _safe("namespace", namespace)


def _safe(name: str, text: str) -> str:
    limit = max_length(Document, name)
    if not _CONTROL.search(text):
        text = unicodedata.normalize("NFC", text)
    if not 0 < len(text) <= limit:
        raise InvalidInput.at(f"/{name}", f"The {name} has 1 to {limit} characters.")
    if _CONTROL.search(text):
        raise InvalidInput.at(f"/{name}", f"The {name} holds a control character or a backslash.")
    for part in text.split("/"):
        if part in ("", ".", "..") or part[-1] in ". " or _DEVICE.fullmatch(part):
            raise InvalidInput.at(f"/{name}", f"The part {part!r} between slashes is not allowed.")
    return text
