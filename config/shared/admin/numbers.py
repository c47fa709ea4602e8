"""Numbers for people: grouped digits, and money without needless zeros."""

from decimal import Decimal

MONEY_PLACES = 6


def shown_number(value: int | None) -> str:
    """Return a whole number with its digits grouped, or a dash."""
    return "-" if value is None else f"{value:,}"


def shown_money(value: Decimal | None) -> str:
    """Return an amount of dollars rounded to MONEY_PLACES, at least two of them shown, or a dash."""
    if value is None:
        return "-"
    text = f"{value:,.{MONEY_PLACES}f}"
    whole, _point, places = text.partition(".")
    return f"${whole}.{places.rstrip('0').ljust(2, '0')}"
