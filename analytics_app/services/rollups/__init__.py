"""Roll-ups: token usage by hour and day, filled behind the recording and put right after changes."""

from analytics_app.services.rollups.filling import usage_roll_up, usage_rollups_reset

__all__ = ["usage_roll_up", "usage_rollups_reset"]
