"""A browser for the tests: Debian's Chromium, which Playwright drives."""

import os
import shutil
from collections.abc import Iterator

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium(django_db_setup) -> Iterator:
    """A running Chromium; without one on this machine the test is skipped.

    Playwright runs an event loop of its own in the tests' thread, by which Django would believe that every query comes
    from asynchronous code, so it is told otherwise for as long as the browser and its database are there.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about; the test fails when there is anything."""
    return []


@pytest.fixture
def profile(chromium, live_server) -> Iterator:
    """Makes fresh browser profiles, and closes them before the server goes away."""
    made = []

    def new_profile(**options):
        made.append(chromium.new_context(**options))
        made[-1].set_default_timeout(20_000)
        return made[-1]

    yield new_profile
    for context in made:
        context.close()


@pytest.fixture
def screen(profile, complaints) -> Iterator:
    """A page of a fresh browser profile. What its console complains about fails the test at the end."""
    page = profile(viewport={"width": 1280, "height": 900}).new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
