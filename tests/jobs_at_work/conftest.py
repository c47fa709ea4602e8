"""An installation for each test, which it may wreck."""

import shutil

import pytest

from tests.jobs_at_work.house import House


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """An empty database, which each test gets a copy of."""
    data_dir = tmp_path_factory.mktemp("migrated")
    House(data_dir)
    return data_dir


@pytest.fixture
def house(migrated, tmp_path):
    opened = []

    def open_house(broker: str = "", **settings: str) -> House:
        data_dir = tmp_path / f"house-{len(opened)}"
        shutil.copytree(migrated, data_dir)
        opened.append(House(data_dir, broker, **settings))
        return opened[-1]

    yield open_house
    for each in opened:
        each.close()
