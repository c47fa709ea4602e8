"""Jobs of the keep; each makes one service call and may run twice."""

from typing import Any

from backups_app.services.doctor import store_examine
from config.shared.callers import SYSTEM
from config.shared.jobs import JobRun, job


@job("store.examine", attempts=1)
def examine(run: JobRun, repair: bool = False) -> dict[str, Any]:
    """Look for faults in the store, and with `repair` put right what can be; the result names them."""
    return store_examine(caller=SYSTEM, now=run.now, repair=repair, check=run.check).as_json()
