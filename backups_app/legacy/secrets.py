"""Finds secrets in configuration by their names and by their looks, and takes them out of what will be shown."""

import re
from typing import Any

MASK = "********"

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[-. ]+")
_SECRET_NAME = re.compile(
    r"(^|_)(api_?keys?|access_?keys?|private_?keys?|secret_?keys?|encryption_?keys?|passwords?|passwd|pwd|passphrase"
    r"|secrets?|client_?secret|credentials?|authorization|cookies?|((access|auth|bearer|refresh|api|id|session|bot)_?)?token"
    r"|connection_?string|dsn)$"
)
_SECRET_LOOK = re.compile(
    r"(?P<key>\bsk-[A-Za-z0-9_-]{16,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bAIza[0-9A-Za-z_-]{30,}|\bhf_[A-Za-z0-9]{20,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)"
    r"|(?P<bearer>(?<=Bearer )[A-Za-z0-9._~+/=-]{8,})"
    r"|(?P<url>(?<=://)[^/\s:@]*:[^/\s@]+(?=@))"
    r"|(?P<pem>-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\$[A-Z_][A-Z0-9_]*|\{\{[^}]*\}\}")


def split_secrets(value: Any, name: str = "") -> tuple[Any, dict[str, str]]:
    """The value with its secrets masked, and the secrets by JSON pointer (RFC 6901; "" is the whole value).

    A text is a secret when the key it stands under (or one above it) is named like one, or when it looks like one: then
    only the part that does is masked. What stands in the second part is always the whole text. Placeholders such as
    `${KEY}` are no secrets. `name` is what the whole value is called.
    """
    secrets: dict[str, str] = {}
    return _split(value, "", is_secret_name(name), secrets), secrets


def is_secret_name(name: str) -> bool:
    """Whether something called this is a secret, such as `api_key`, `clientSecret` or `X-Auth-Token`."""
    return _SECRET_NAME.search(_WORD_BREAK.sub("_", name).lower()) is not None


def _split(value: Any, pointer: str, named: bool, secrets: dict[str, str]) -> Any:
    if type(value) is dict:
        return {
            key: _split(item, f"{pointer}/{_escaped(key)}", named or is_secret_name(key), secrets)
            for key, item in value.items()
        }
    if type(value) is list:
        return [_split(item, f"{pointer}/{index}", named, secrets) for index, item in enumerate(value)]
    if type(value) is int and named:
        value = str(value)
    if type(value) is not str:
        return value
    masked = _masked(value, named)
    if masked != value:
        secrets[pointer] = value
    return masked


def _masked(text: str, named: bool) -> str:
    if _PLACEHOLDER.sub("", text).strip() in ("", "Bearer", "Basic", "Token"):
        return text
    return MASK if named else _SECRET_LOOK.sub(_masked_match, text)


def _masked_match(match: re.Match[str]) -> str:
    """The mask; in a URL the name of the user stays readable. A placeholder inside stays as it is."""
    found = match.group()
    if _PLACEHOLDER.fullmatch(found.rpartition(":")[2] if match["url"] else found):
        return found
    return f"{found.partition(':')[0]}:{MASK}" if match["url"] else MASK


def _escaped(key: str) -> str:
    """A key as a part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
