"""Serializers: strict on the way in, fast and masked where need be on the way out."""

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from operator import attrgetter
from typing import Any

from django.db import models
from django.utils.translation import gettext as _
from rest_framework import serializers

from config.shared.api import fields
from config.shared.fields import ExactDecimalField, JSONTextField

Readers = list[tuple[str, Callable[[Any], Any]]]

MASK = "********"
# What every database holds in such a column; Django itself asks the one it is connected to.
_RANGES: tuple[tuple[type[Any], tuple[int, int]], ...] = (
    (models.PositiveBigIntegerField, (0, 2**63 - 1)),
    (models.PositiveIntegerField, (0, 2**31 - 1)),
    (models.PositiveSmallIntegerField, (0, 2**15 - 1)),
    (models.BigIntegerField, (-(2**63), 2**63 - 1)),
    (models.IntegerField, (-(2**31), 2**31 - 1)),
)
_JSON_OPTIONS = ("required", "allow_null", "read_only", "help_text")
# What these hold is shown as it is: the renderer writes times and numbers itself.
_AS_IT_IS = (
    fields.TextValue,
    fields.IntegerValue,
    fields.NumberValue,
    fields.BooleanValue,
    fields.InstantValue,
    fields.ChoiceValue,
    fields.JsonValue,
    serializers.CharField,
    serializers.IntegerField,
    serializers.FloatField,
    serializers.DateTimeField,
    serializers.ReadOnlyField,
)


class StrictInput(serializers.Serializer[Any]):
    """Refuses fields it does not know, and hides `Meta.masked_fields` from callers who may not see contents."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the validated values. Raises ValidationError that names each unknown field."""
        if isinstance(data, Mapping):
            unknown = [key for key in data if key not in self.fields]
            if unknown:
                raise serializers.ValidationError({str(key): [_("There is no such field.")] for key in unknown})
        return super().to_internal_value(data)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the row as the caller may see it."""
        return {name: read(instance) for name, read in self._readers}

    @cached_property
    def _readers(self) -> Readers:
        hidden = self._hidden_fields
        readers = _readers_of_class(type(self)) or _readers_of(self)
        return [(name, _masking(read) if name in hidden else read) for name, read in readers] if hidden else readers

    @property
    def _hidden_fields(self) -> frozenset[str]:
        caller = getattr(self.context.get("view"), "caller", None)
        if caller is None or caller.can_see_contents:
            return frozenset()
        return frozenset(getattr(getattr(self, "Meta", None), "masked_fields", ()))


class LedgerSerializer(StrictInput, serializers.ModelSerializer[Any]):
    """Base of the serializers of models: JSON types are taken exactly, see config.shared.api.fields."""

    serializer_choice_field = fields.ChoiceValue
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: fields.TextValue,
        models.TextField: fields.TextValue,
        models.IntegerField: fields.IntegerValue,
        models.BigIntegerField: fields.IntegerValue,
        models.PositiveIntegerField: fields.IntegerValue,
        models.PositiveSmallIntegerField: fields.IntegerValue,
        models.PositiveBigIntegerField: fields.IntegerValue,
        models.AutoField: fields.IntegerValue,
        models.BigAutoField: fields.IntegerValue,
        models.FloatField: fields.NumberValue,
        models.BooleanField: fields.BooleanValue,
        models.DateTimeField: fields.InstantValue,
        JSONTextField: fields.JsonValue,
        ExactDecimalField: fields.MoneyValue,
    }

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """Choose the field by the model's: JSON documents by the default that they have."""
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        bounds = next((span for kind, span in _RANGES if isinstance(model_field, kind)), None)
        if bounds is not None and not kwargs.get("read_only"):
            kwargs["min_value"], kwargs["max_value"] = bounds
        if isinstance(model_field, JSONTextField):
            shapes = {dict: fields.JsonObject, list: fields.JsonArray}
            field_class = shapes.get(model_field.default, fields.JsonValue)
            kwargs = {name: kwargs[name] for name in _JSON_OPTIONS if name in kwargs}
        return field_class, kwargs


def _readers_of(serializer: Any) -> Readers:
    return [(str(field.field_name), _reader(field)) for field in serializer._readable_fields]


@cache
def _readers_of_class(serializer_class: type[Any]) -> Readers | None:
    """Return the readers that all serializers of the class share, or None where one needs more than the row.

    To build a serializer's fields takes longer than to show a page of rows.
    """
    serializer = serializer_class()
    alone = all(
        _is_plain(field) or getattr(field, "needs_only_the_row", False) for field in serializer._readable_fields
    )
    return _readers_of(serializer) if alone else None


def _is_plain(field: Any) -> bool:
    return type(field) in (*_AS_IT_IS, fields.JsonObject, fields.JsonArray) or getattr(field, "is_plain", False)


def _reader(field: Any) -> Callable[[Any], Any]:
    if not _is_plain(field):
        return _through(field)
    if len(field.source_attrs) == 1:
        return attrgetter(field.source_attrs[0])
    return _path(field.source_attrs)


def _path(steps: list[str]) -> Callable[[Any], Any]:
    def read(instance: Any) -> Any:
        for step in steps:
            if instance is None:
                return None
            instance = getattr(instance, step)
        return instance

    return read


def _through(field: Any) -> Callable[[Any], Any]:
    def read(instance: Any) -> Any:
        try:
            value = field.get_attribute(instance)
        except serializers.SkipField:
            return None
        return None if value is None else field.to_representation(value)

    return read


def _masking(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda instance: None if read(instance) is None else MASK
