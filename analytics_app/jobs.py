"""Jobs about sums; each makes one service call and may run twice."""

from analytics_app.services.rollups import usage_roll_up
from config.shared.jobs import JobRun, job


@job("usage.roll_up", keep_hours=24)
def roll_up_usage(run: JobRun) -> dict[str, int]:
    """Add the uses of tokens that came in to the roll-ups, and put changed hours right."""
    return {"steps": usage_roll_up(now=run.now)}
