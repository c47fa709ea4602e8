"""A pytest plugin that chooses which of the collected tests run, and says how many it left out.

Long forms run when they are asked for. On a server (DATABASE_URL) only those tests run that use its database, as their
fixtures say: a parser or a picture comes out the same whatever the store is, and the run on SQLite has it.
It is loaded with `-p tests.selection` (pyproject.toml).
"""

import os

import pytest

# pytest-django's own, and the URL of the server for those who make a database of their own there.
DATABASE_FIXTURES = {"db", "transactional_db", "given_server"}
LEFT_OUT = pytest.StashKey[int]()


def uses_the_database(item: pytest.Item) -> bool:
    """Return whether the test uses the database of this run."""
    marked = item.get_closest_marker("django_db") is not None
    return marked or not DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long forms, and on a server the tests without a database."""
    if "torture" not in (config.option.markexpr or ""):
        _leave_out(config, items, [item for item in items if item.get_closest_marker("torture")])
    if os.environ.get("DATABASE_URL"):
        without = [item for item in items if not uses_the_database(item)]
        _leave_out(config, items, without)
        config.stash[LEFT_OUT] = len(without)
        if hasattr(config, "workeroutput"):
            config.workeroutput["left_out"] = len(without)


def _leave_out(config: pytest.Config, items: list[pytest.Item], some: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=some)
    gone = set(some)
    items[:] = [item for item in items if item not in gone]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take the number over from a worker of xdist, for each of them collects all tests, and none prints."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many tests were left out because the server has nothing to do with them."""
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"{left_out} tests use no database and were left out: they run on SQLite alone.")
