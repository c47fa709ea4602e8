"""`manage.py search_index` fills the index, builds it anew, and says how far it is."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from history_app.models import SearchBlock, SearchProgress
from history_app.services import settled
from history_app.services.search_index import filling
from tests.history_app.records import record, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def many(project, now, monkeypatch):
    """More messages than the smallest block holds. On MariaDB what is new must age first; here it need not."""
    monkeypatch.setattr(settled, "_longest_statement", lambda: timedelta(0))
    write(project, [record("message", f"m-{n}", content=f"number {n}") for n in range(300)], now)


def told(*options):
    out = StringIO()
    call_command("search_index", *options, "--json", stdout=out)
    return {one["record_type"]: one for one in json.loads(out.getvalue())}


def test_the_status_says_how_far_the_index_is_and_changes_nothing(many):
    before = told("--status")
    assert (before["message"]["watermark"], before["message"]["waiting"] >= 300) == (0, True)
    assert before["tool_call"] == {**before["tool_call"], "highest": 0, "waiting": 0, "blocks": 0, "stored_bytes": 0}
    assert told("--status") == before


def test_it_fills_until_less_than_a_block_waits(many):
    for _time in range(2):
        after = told()
    assert after["message"]["blocks"] >= 1
    assert after["message"]["waiting"] < 256
    assert after["message"]["stored_bytes"] > 0


def test_a_rebuild_forgets_the_old_index_first(many):
    for _time in range(2):
        told()
    old = set(SearchBlock.objects.values_list("pk", flat=True))
    told("--rebuild")
    again = told()
    assert old.isdisjoint(SearchBlock.objects.values_list("pk", flat=True))
    assert again["message"]["waiting"] < 256


def test_plain_lines_are_for_people(many):
    out = StringIO()
    call_command("search_index", "--status", stdout=out)
    assert out.getvalue().splitlines()[0].startswith("message    indexed up to 0 of ")


def test_filling_leaves_what_somebody_else_is_doing(many, now):
    SearchProgress.objects.create(record_type="message", claimed_until=now.replace(year=2999))
    assert filling.search_index_fill(now=now) == filling.FillResult()
    assert not SearchBlock.objects.exists()


def test_a_call_stops_when_its_time_is_over(many, now):
    filling.search_index_fill(now=now)
    done = filling.search_index_fill(now=now + timedelta(days=1), seconds=0)
    assert done == filling.FillResult()
