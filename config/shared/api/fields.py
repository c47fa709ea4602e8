"""Serializer fields that take exactly the JSON type they say, and refuse what a database would bend."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.shared.api.json_bodies import GREATEST_INTEGER, SMALLEST_INTEGER
from config.shared.fields import EXACT_DIGITS, EXACT_PLACES, amount_text

# The range that all three databases, in every time zone, agree on.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class TextValue(serializers.CharField):
    """Text as it came: not trimmed, and no number in its place."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class IntegerValue(serializers.IntegerField):
    """A whole number of at most 64 bits; no text, no boolean and no fraction in its place."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["min_value"] = max(kwargs.get("min_value", SMALLEST_INTEGER), SMALLEST_INTEGER)
        kwargs["max_value"] = min(kwargs.get("max_value", GREATEST_INTEGER), GREATEST_INTEGER)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(data)


class NumberValue(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            self.fail("invalid")
        return float(data)


class BooleanValue(serializers.BooleanField):
    """true or false, and nothing that looks like them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class InstantValue(serializers.DateTimeField):
    """A moment as RFC 3339; without an offset it is read as UTC."""

    default_error_messages = {"range": _("Times lie between 1900 and 9999.")}

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("invalid", format="RFC 3339")
        try:
            moment: datetime = super().to_internal_value(value).astimezone(UTC)
        except OverflowError:
            self.fail("range")
        if not EARLIEST <= moment < LATEST:
            self.fail("range")
        return moment


class MoneyValue(serializers.DecimalField):
    """An exact amount, written as text without needless zeros; numbers are taken as well, as they are written."""

    needs_only_the_row = True

    def __init__(self, **kwargs: Any) -> None:
        kwargs["max_digits"], kwargs["decimal_places"] = EXACT_DIGITS, EXACT_PLACES
        kwargs.setdefault("coerce_to_string", True)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            self.fail("invalid")
        return Decimal(super().to_internal_value(repr(data) if isinstance(data, float) else data))

    def to_representation(self, value: Any) -> str:
        return amount_text(Decimal(value))


class ChoiceValue(serializers.ChoiceField):
    """One of a few words."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class JsonValue(serializers.JSONField):
    """Any JSON value."""

    def to_internal_value(self, data: Any) -> Any:
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class JsonDocument(JsonValue):
    """A document whose null means an empty one; in a PATCH it stays null, which takes the stored one away."""

    empty: Any = None

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        is_patch = getattr(self.root, "partial", False)
        return type(self).empty() if value is None and not is_patch else value


@extend_schema_field({"type": "object", "additionalProperties": {}, "nullable": True})
class JsonObject(JsonDocument):
    """A JSON object."""

    empty = dict

    default_error_messages = {"not_object": _("This is a JSON object.")}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("not_object")
        return data


@extend_schema_field({"type": "array", "items": {}, "nullable": True})
class JsonArray(JsonDocument):
    """A JSON array."""

    empty = list

    default_error_messages = {"not_array": _("This is a JSON array.")}

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_array")
        return data
