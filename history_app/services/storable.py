"""Values made storable: texts, JSON documents, times and amounts of a record, checked against the limits."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.translation import gettext as _

from config.shared.errors import InvalidInput, TooLarge
from config.shared.fields import EXACT_DIGITS, EXACT_PLACES, dump_json, exact
from config.shared.text import MAX_JSON_DEPTH, Replaced, TooDeep, clean_json, clean_text

# The range of the API's filters (config.shared.api.fields), in which any offset stays within the calendar.
FIRST_YEAR, LAST_YEAR = 1900, 9998
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_MAX_BYTES_PER_CHARACTER = 4
_STRICT = orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


@lru_cache(maxsize=1)
def _limit() -> int:
    # Asking Django for a setting takes as long as looking at a short text.
    limit: int = settings.MAX_RECORD_BYTES
    return limit


@receiver(setting_changed)
def _forget_limit(**_changed: Any) -> None:
    _limit.cache_clear()


def bounded(text: str, pointer: str) -> str:
    """Return the text. Raises TooLarge when it takes more than MAX_RECORD_BYTES in UTF-8."""
    limit = _limit()
    if len(text) * _MAX_BYTES_PER_CHARACTER > limit and len(text.encode()) > limit:
        raise TooLarge(_("%(pointer)s takes more than %(limit)d bytes.") % {"pointer": pointer, "limit": limit})
    return text


def storable_text(text: str, pointer: str, replaced: Replaced) -> str:
    """Return the text with what cannot be stored replaced and counted, within the size limit."""
    return bounded(clean_text(text, replaced), pointer)


def storable_id(text: str, pointer: str) -> str:
    """Return an id as it is: replacing a character could make it another one's id. Raises InvalidInput for NUL."""
    if text.isascii() and "\x00" not in text:
        return text
    if clean_text(text, Replaced()) != text:
        raise InvalidInput.at(pointer, _("An id may hold neither NUL nor a lone surrogate."))
    return text


def storable_document(value: Any, pointer: str, replaced: Replaced) -> str | None:
    """Return the JSON text of a value (None for null), cleaned and within the limits of size and depth."""
    if value is None:
        return None
    text = _quick_dump(value)
    if text is None:
        text = _careful_dump(value, pointer, replaced)
    return bounded(text, pointer)


def _quick_dump(value: Any) -> str | None:
    """Return the JSON text of a value that needs no cleaning, or None where that is not certain."""
    try:
        raw = orjson.dumps(value, option=_STRICT)
    except TypeError:
        return None
    # A null may have been NaN; an escaped NUL must be replaced; depth is certain while brackets are few or pair up.
    if b"\\u0000" in raw or (b"null" in raw and _has_nan(value)) or not _shallow(raw):
        return None
    return raw.decode()


def _has_nan(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return True
    return False


def _shallow(raw: bytes) -> bool:
    brackets = raw.translate(None, _NO_BRACKETS)
    for _level in range(MAX_JSON_DEPTH):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return not brackets


def _careful_dump(value: Any, pointer: str, replaced: Replaced) -> str:
    try:
        cleaned = clean_json(value, replaced)
    except TooDeep as error:
        raise InvalidInput.at(pointer, _("Nested deeper than %(n)d levels.") % {"n": MAX_JSON_DEPTH}) from error
    try:
        # The quick writer again where it can, so that one value always has one text.
        return orjson.dumps(cleaned, option=_STRICT).decode()
    except TypeError:
        return _standard_dump(cleaned, pointer)


def _standard_dump(value: Any, pointer: str) -> str:
    try:
        return dump_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput.at(pointer, _("This is not a JSON value.")) from error


def storable_time(value: datetime, pointer: str) -> datetime:
    """Return a time in UTC; one without an offset is read as UTC."""
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise InvalidInput.at(pointer, _("The year must be between %d and %d.") % (FIRST_YEAR, LAST_YEAR))
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def storable_number(value: float | None, replaced: Replaced) -> float | None:
    """Return a finite number; NaN and Infinity become None and are counted."""
    if value is None or math.isfinite(value):
        return value
    replaced.numbers += 1
    return None


def storable_amount(value: Any, pointer: str, replaced: Replaced) -> Decimal | None:
    """Return an amount of money exactly as written; NaN and Infinity become None and are counted."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise InvalidInput.at(pointer, _("An amount is a number, or a number written as text."))
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else value)
    except InvalidOperation as error:
        raise InvalidInput.at(pointer, _("An amount is a number, or a number written as text.")) from error
    if not amount.is_finite():
        replaced.numbers += 1
        return None
    if amount.adjusted() >= EXACT_DIGITS - EXACT_PLACES:
        raise InvalidInput.at(pointer, _("The amount is too large."))
    return exact(amount)


def text_parts(value: Any) -> str | None:
    """Return the text within a structured content: the parts of a list that are text or carry one, a line each."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    texts = [part if isinstance(part, str) else part.get("text") for part in value if isinstance(part, str | dict)]
    found = [text for text in texts if isinstance(text, str)]
    return "\n".join(found) if found else None
