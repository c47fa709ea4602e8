"""Model fields that hold the same value on SQLite, PostgreSQL and MariaDB."""

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

# MariaDB compares its default collations without case, and pads trailing spaces even in utf8mb4_bin: "x" and "x " would
# be one id. The NO PAD collation compares byte by byte, as "C" does on PostgreSQL (where it also lets a plain index
# serve prefixes) and SQLite does anyway.
BINARY_COLLATIONS = {"mysql": "utf8mb4_nopad_bin", "postgresql": "C"}
EXACT_DIGITS = 36
EXACT_PLACES = 24
# Amounts and their sums are not rounded on the way.
EXACT = Context(prec=EXACT_DIGITS + EXACT_PLACES)
# Far above any call, and low enough that a sum of millions of rows stays within 64 bits on SQLite, whose SUM fails
# where it overflows.
MAX_TOKENS = 10**12


# The stubs know these as generic, Django itself does not.
if TYPE_CHECKING:
    CharColumn = models.CharField[str, str]
    TextColumn = models.TextField[Any, Any]
    DecimalColumn = models.DecimalField[Any, Any]
else:
    CharColumn, TextColumn, DecimalColumn = models.CharField, models.TextField, models.DecimalField


class IdField(CharColumn):
    """Text that identifies something: compared byte by byte on every database, at most 255 characters by default."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 255)
        super().__init__(*args, **kwargs)

    def db_parameters(self, connection: Any) -> dict[str, Any]:
        parameters = super().db_parameters(connection)
        parameters["collation"] = BINARY_COLLATIONS.get(connection.vendor)
        return parameters


def dump_json(value: Any) -> str:
    """Return compact JSON text, non-ASCII kept, NaN and Infinity refused with ValueError."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class JSONTextField(TextColumn):
    """A JSON value kept as text, so that it comes back as it went in on every database.

    A database's own JSON type reorders keys, drops the sign of zero (PostgreSQL), or refuses deep nesting (MariaDB).
    With `default=dict` or `default=list` an empty document is stored as NULL, which costs no space.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["null"] = True
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", None)
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        # Not "TextField": on PostgreSQL Django inserts many rows of its own types as arrays, and psycopg escapes each
        # text of an array by a regular expression. For long documents that takes longer than all the rest.
        return "JSONTextField"

    def db_type(self, connection: Any) -> str:
        return str(connection.data_types["TextField"])

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return self.get_default() if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None or value == self.get_default() else dump_json(value)

    def to_python(self, value: Any) -> Any:
        return self.get_default() if value is None else value

    def value_to_string(self, obj: models.Model) -> Any:
        return self.value_from_object(obj)

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        try:
            dump_json(value)
        except (TypeError, ValueError) as error:
            raise ValidationError(_("This is not a JSON value: %(why)s"), params={"why": error}) from error

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        kwargs.setdefault("widget", forms.Textarea)
        field = forms.JSONField(
            required=False,
            label=kwargs.get("label") or self.verbose_name.capitalize(),
            help_text=self.help_text,
            widget=kwargs["widget"],
        )
        field.empty_value = self.get_default()
        return field


class ExactDecimalField(DecimalColumn):
    """Money to the last digit: numeric where the database has it, text on SQLite, which would round to 15 digits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = EXACT_DIGITS
        kwargs["decimal_places"] = EXACT_PLACES
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        # Not "DecimalField": SQLite's own converter for that expects a float.
        return "ExactDecimalField"

    def db_type(self, connection: Any) -> str:
        return "text" if connection.vendor == "sqlite" else f"numeric({EXACT_DIGITS}, {EXACT_PLACES})"

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        number = exact(value)
        return format(number, "f") if connection.vendor == "sqlite" and number is not None else number

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else Decimal(str(value)).normalize(EXACT)

    def get_db_converters(self, connection: Any) -> list[Any]:
        return [self.from_db_value]


def exact(value: Any) -> Decimal | None:
    """Return a number as a Decimal of at most EXACT_PLACES places; a float is read as Python writes it."""
    if value is None:
        return None
    number = value if isinstance(value, Decimal) else Decimal(repr(value) if isinstance(value, float) else str(value))
    with localcontext(prec=EXACT_DIGITS + EXACT_PLACES, rounding=ROUND_HALF_EVEN):
        return number.quantize(Decimal(1).scaleb(-EXACT_PLACES)).normalize()


def amount_text(amount: Decimal) -> str:
    """Return an amount as every answer writes it: all its digits, no exponent, no needless zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class ExactTotal:
    """SQLite's aggregate behind ExactSum: adds decimal texts without rounding."""

    def __init__(self) -> None:
        self.total: Decimal | None = None

    def step(self, value: Any) -> None:
        """Add one value; NULL counts for nothing, as in SQL's own SUM."""
        if value is None:
            return
        amount = Decimal(str(value))
        self.total = amount if self.total is None else EXACT.add(self.total, amount)

    def finalize(self) -> str | None:
        """Return the sum as text, or None when there was nothing to add."""
        return None if self.total is None else format(self.total, "f")


class ExactSum(Sum):
    """SUM of an ExactDecimalField that is exact on SQLite too (config.apps registers the aggregate there)."""

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, function="EXACT_SUM", **extra)


def register_exact_sum(sender: Any, connection: Any, **kwargs: Any) -> None:
    """Give a new SQLite connection the EXACT_SUM aggregate (receiver of connection_created)."""
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("EXACT_SUM", 1, ExactTotal)
