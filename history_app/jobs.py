"""Jobs about what was recorded; each makes one service call and may run twice."""

from config.shared.jobs import JobRun, job
from history_app.services.search_index.filling import search_index_fill


@job("search.fill", keep_hours=2)
def fill_search_index(run: JobRun) -> dict[str, int]:
    """Bring the search index up to date, for a while; the next run goes on."""
    done = search_index_fill(now=run.now)
    return {"added": done.added, "rebuilt": done.rebuilt}
