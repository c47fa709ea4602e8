"""Tables of the sum: prices, and roll-ups that can be dropped and made again."""

from analytics_app.models.prices import ModelPrice
from analytics_app.models.rollups import ModelUsage, RollupState, UsageChange, UserUsage

__all__ = ["ModelPrice", "ModelUsage", "RollupState", "UsageChange", "UserUsage"]
