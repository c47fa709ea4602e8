"""The admin of sums."""

from analytics_app.admin.prices import ModelPriceAdmin
from analytics_app.admin.rollups import ModelUsageAdmin, UserUsageAdmin

__all__ = ["ModelPriceAdmin", "ModelUsageAdmin", "UserUsageAdmin"]
