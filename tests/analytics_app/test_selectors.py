"""What the store holds: counted where it is little, estimated where it is much."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection

from analytics_app.selectors import holdings as selectors
from analytics_app.selectors.holdings import holdings
from analytics_app.selectors.overview import overview
from config.settings.databases import cache_settings
from config.shared import cached
from config.shared.callers import SYSTEM, Caller
from history_app.models import Message
from sessions_app.models import Session
from tests.factories import default_project, make_message, make_project, make_session, make_token_usage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_cached():
    cache.clear()


def _caller(project):
    return Caller(kind="key", name="k", role="admin", project_ids=frozenset({project.pk}), project_id=project.pk)


def _held(caller):
    return {holding.model: (holding.count, holding.exact) for holding in holdings(caller=caller)}


def test_a_small_store_is_counted_exactly(project):
    make_message(session=make_session(project=project))
    found = _held(SYSTEM)
    assert (found[Session], found[Message]) == ((1, True), (1, True))


def test_a_caller_is_told_of_its_own_project_only(project):
    theirs = make_project()
    make_message(session=make_session(project=theirs))
    assert _held(_caller(project))[Message] == (0, True)
    assert _held(_caller(theirs))[Message] == (1, True)


def test_the_numbers_are_kept_for_a_while(project, django_assert_num_queries):
    make_session(project=project)
    before = _held(SYSTEM)
    make_session(project=project)
    with django_assert_num_queries(0):
        assert _held(SYSTEM) == before
    cache.clear()
    assert _held(SYSTEM)[Session] == (2, True)


def test_the_front_page_is_there_while_redis_is_gone(staff_admin, settings, monkeypatch):
    monkeypatch.setattr(cached.Away, "until", 0.0)
    settings.CACHES = {"default": cache_settings("redis://127.0.0.1:9/0")}
    make_session(project=default_project())
    assert staff_admin.get("/admin/").status_code == 200
    assert _held(SYSTEM)[Session] == (1, True)


@pytest.mark.django_db(transaction=True)
def test_a_large_kind_is_estimated_without_reading_it(monkeypatch):
    project = default_project()
    session = make_session(project=project)
    for _number in range(300):
        make_message(session=session)
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "ANALYZE history_app_message"
                if connection.vendor == "postgresql"
                else "ANALYZE TABLE history_app_message"
            )
    monkeypatch.setattr(selectors, "COUNTED_AT_MOST", 50)
    for caller in (SYSTEM, _caller(project)):
        count, exact = _held(caller)[Message]
        assert (exact, 200 <= count <= 450) == (False, True), count
        cache.clear()


def test_the_overview_puts_everything_on_its_own_day(project, now):
    session = make_session(project=project, created_at=now - timedelta(days=1))
    make_message(session=session, timestamp=now)
    make_message(session=session, timestamp=now.replace(hour=0, minute=0, second=0))
    make_message(session=session, timestamp=now - timedelta(days=2))
    make_message(session=session, timestamp=now + timedelta(days=1))
    for cost in ("0.1", "0.2", None):
        status = "unknown" if cost is None else "reported"
        make_token_usage(
            session=session, timestamp=now, cost=None if cost is None else Decimal(cost), cost_status=status
        )
    found = overview(caller=_caller(project), days=2, now=now)
    assert (str(found["start"]), str(found["end"])) == ("2026-03-13", "2026-03-14")
    (shown,) = found["projects"]
    yesterday, today = shown["days"]
    assert (yesterday["sessions"], yesterday["messages"]) == (1, 0)
    assert (today["sessions"], today["messages"], today["token_usage"]) == (0, 2, 3)
    assert today["cost"] == shown["totals"]["cost"] == Decimal("0.3")
    assert shown["totals"]["messages"] == 2


def test_the_overview_stays_behind_the_wall(project, now):
    theirs = make_project()
    make_message(session=make_session(project=theirs), timestamp=now)
    (shown,) = overview(caller=_caller(project), days=1, now=now)["projects"]
    assert (shown["project"], shown["totals"]["messages"]) == ("default", 0)
    slugs = {row["project"]: row["totals"]["messages"] for row in overview(caller=SYSTEM, days=1, now=now)["projects"]}
    assert slugs == {"default": 0, theirs.slug: 1}


def test_the_overview_takes_a_fixed_number_of_queries(project, now, django_assert_num_queries):
    for days in (1, 92):
        make_message(session=make_session(project=project), timestamp=now)
        with django_assert_num_queries(8):
            overview(caller=SYSTEM, days=days, now=now)
