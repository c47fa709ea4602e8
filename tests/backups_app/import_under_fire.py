"""`python -m tests.backups_app.import_under_fire STORE ROUNDS SEED`: imports that are killed, and resumed.

Every round has a project of its own. Its import is killed with SIGKILL before one of its statements, chosen by chance,
and resumed, which may be killed too. Prints a line of JSON a round; the first one is never killed.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import connection, connections  # noqa: E402
from django.utils import timezone  # noqa: E402

from backups_app.models import ImportRun  # noqa: E402
from backups_app.services.legacy_import import chunks, import_resume, store_import  # noqa: E402
from config.shared.callers import Caller  # noqa: E402
from tests.backups_app.imported_rows import checksum, outcome  # noqa: E402
from tests.factories import make_project  # noqa: E402

SMALL_CHUNK = 40
KILLS_PER_ROUND = 2


class Killer:
    """Counts statements, and kills its own process before one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.count = at, 0

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)


def _work(project_id: int, store: Path, killer: Killer) -> None:
    """Begin the project's import, or go on with it. All begin at one moment, for it stands in what they store."""
    caller = Caller("system", "test", "admin", project_ids=None, project_id=project_id)
    given: dict[str, Any] = {"project_id": project_id, "now": NOW, "caller": caller, "path": store}
    with connection.execute_wrapper(killer):
        if ImportRun.objects.filter(project_id=project_id).exists():
            import_resume(**given)
        else:
            store_import(**given)


def _is_killed(work: Callable[[], None]) -> bool:
    """Run in a process of its own, and return whether it was killed."""
    connections.close_all()
    number = os.fork()
    if number == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _pid, status = os.waitpid(number, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the import failed"
    return False


def _round(store: Path, points: list[int]) -> tuple[dict[str, Any], int]:
    """Import into a new project with a kill at each of these statements; also returns how many statements it took."""
    project_id, killer, kills, positions = make_project().pk, Killer(), 0, []
    for at in points:
        killed = _is_killed(lambda at=at: _work(project_id, store, Killer(at)))  # type: ignore[misc]
        run = ImportRun.objects.filter(project_id=project_id).first()
        positions.append(run.position if run else 0)
        kills += killed
        if not killed or (run is not None and run.status == ImportRun.Status.COMPLETED):
            break
    run = ImportRun.objects.filter(project_id=project_id).first()
    if run is None or run.status != ImportRun.Status.COMPLETED:
        _work(project_id, store, killer)
    run = ImportRun.objects.get(project_id=project_id)
    told = {"kills": kills, "positions": positions, "checksum": checksum(project_id), "outcome": outcome(run)}
    return told, killer.count


def main(store: Path, rounds: int, seed: int) -> None:
    """Print what became of each round."""
    chance = random.Random(seed)
    clean, statements = _round(store, [])
    print(json.dumps(clean), flush=True)
    for _number in range(rounds):
        points = [chance.randint(2, statements) for _kill in range(KILLS_PER_ROUND)]
        print(json.dumps(_round(store, points)[0]), flush=True)


NOW = timezone.now()

if __name__ == "__main__":
    chunks.CHUNK_ENTRIES = SMALL_CHUNK
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
