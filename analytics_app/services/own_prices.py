"""A project's own prices: changed with an audit entry, and kept in memory for pricing, where no query may be made."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from analytics_app.models import ModelPrice
from analytics_app.services.rates import Rate, Rates
from config.shared.callers import Caller
from config.shared.errors import Conflict
from sessions_app.services.staff_edits import row_create, row_delete, row_update

# For so long a process may price with what another one has changed since.
FRESH_SECONDS = 5.0


def model_price_create(*, project_id: int, values: Mapping[str, Any], now: datetime, caller: Caller) -> ModelPrice:
    """Add a price. Raises Conflict when the model has one from the same moment on."""
    row = ModelPrice(project_id=project_id, **{"valid_from": now, **values}, created_at=now, updated_at=now)
    try:
        with transaction.atomic():
            row_create(row=row, caller=caller, now=now, project_id=project_id)
    except IntegrityError as error:
        raise Conflict("This model has a price from this moment on already.") from error
    _forget()
    return row


def model_price_update(*, price: ModelPrice, values: Mapping[str, Any], now: datetime, caller: Caller) -> ModelPrice:
    """Change what is stated. Uses that were priced before keep their cost. Raises Conflict."""
    changed = [name for name, value in values.items() if getattr(price, name) != value]
    for name in changed:
        setattr(price, name, values[name])
    try:
        with transaction.atomic():
            row_update(row=price, changed=changed, caller=caller, now=now, project_id=price.project_id)
    except IntegrityError as error:
        raise Conflict("This model has a price from this moment on already.") from error
    _forget()
    return price


def model_price_delete(*, price: ModelPrice, now: datetime, caller: Caller) -> None:
    """Remove a price. Uses that were priced before keep their cost."""
    row_delete(row=price, caller=caller, now=now, project_id=price.project_id)
    _forget()


@dataclass(frozen=True, slots=True)
class _OwnPrice:
    provider: str
    model: str
    is_beginning: bool
    valid_from: datetime
    rates: Rates

    def fits(self, provider: str, model: str, at: datetime) -> bool:
        """Return whether the price is one of this model at this moment."""
        named = model.startswith(self.model) if self.is_beginning else model == self.model
        return named and self.provider in ("", provider) and self.valid_from <= at

    @property
    def rank(self) -> tuple[bool, int, bool, datetime]:
        """What decides between prices that fit: a whole name, the longer one, a stated provider, the newest."""
        return not self.is_beginning, len(self.model), bool(self.provider), self.valid_from


_kept: dict[int, list[_OwnPrice]] = {}
_read_at: dict[int, float] = {}


def own_rates(*, project_id: int, provider: str, model: str, at: datetime) -> Rates | None:
    """Return the project's own prices of a model at a moment, or None where it has none."""
    fitting = [price for price in _prices(project_id) if price.fits(provider, model, at)]
    return max(fitting, key=lambda price: price.rank).rates if fitting else None


def _prices(project_id: int) -> list[_OwnPrice]:
    now = time.monotonic()
    if project_id not in _kept or now - _read_at[project_id] > FRESH_SECONDS:
        _kept[project_id] = [_own(row) for row in ModelPrice.objects.filter(project_id=project_id)]
        _read_at[project_id] = now
    return _kept[project_id]


def _own(row: ModelPrice) -> _OwnPrice:
    rates = Rates(
        source=f"model-price {row.pk}",
        input=Rate(row.input_mtok),
        output=Rate(row.output_mtok),
        cache_read=None if row.cache_read_mtok is None else Rate(row.cache_read_mtok),
        cache_write=None if row.cache_write_mtok is None else Rate(row.cache_write_mtok),
    )
    return _OwnPrice(row.provider, row.model.rstrip("*"), row.model.endswith("*"), row.valid_from, rates)


def _forget() -> None:
    """Read the prices anew: at once for what this transaction still records, and after it for everybody else."""
    _kept.clear()
    transaction.on_commit(_kept.clear)
