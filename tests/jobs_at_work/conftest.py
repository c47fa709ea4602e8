"""An installation for each test, which it may wreck."""

import pytest

from tests.jobs_at_work.house import House


@pytest.fixture
def house(migrated, tmp_path):
    opened = []

    def open_house(broker: str = "", **settings: str) -> House:
        data_dir = tmp_path / f"house-{len(opened)}"
        migrated(data_dir)
        opened.append(House(data_dir, broker, **settings))
        return opened[-1]

    yield open_house
    for each in opened:
        each.close()
