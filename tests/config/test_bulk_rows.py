"""Many rows at once are stored as one by one: every value comes back, every row has its key, every rule holds."""

import pytest
from django.db import IntegrityError, transaction

from config.shared.bulk_rows import rows_insert
from sessions_app.models import Session, SessionState, Workflow
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
TEXTS = ("plain", "tab\there", "line\nand\rreturn", "back\\slash \\N \\.", "订单 \U0001f642", "", "'quoted' \"twice\"")


def _sessions(project, number):
    workflow = Workflow.objects.create(project=project, workflow_id=f"w{number}", name="w")
    return [
        Session(
            project=project, session_id=f"s{each}", workflow=workflow if each % 2 else None,
            status=Session.Status.PAUSED, title=TEXTS[each % len(TEXTS)], user_id=TEXTS[each % 2],
            metadata={"text": TEXTS[each % len(TEXTS)], "deep": [1.5, None, {"x": True}]} if each % 3 else {},
            tags=[TEXTS[each % len(TEXTS)]], created_at=NOW, updated_at=NOW,
            expires_at=NOW if each % 5 else None,
        )
        for each in range(number)
    ]  # fmt: skip


@pytest.mark.parametrize("number", [1, 19, 250])
def test_rows_come_back_as_they_were(project, number):
    rows = _sessions(project, number)
    rows_insert(rows)
    stored = {row.session_id: row for row in Session.objects.all()}
    for row in rows:
        same = stored[row.session_id]
        assert row.pk == same.pk
        for field in Session._meta.concrete_fields:
            assert getattr(row, field.attname) == getattr(same, field.attname), field.name
    states = [SessionState(session=row, is_current=True, created_at=NOW, iteration_count=None) for row in rows]
    rows_insert(states)
    assert set(SessionState.objects.values_list("pk", flat=True)) == {state.pk for state in states}
    rows[0].title = "changed"
    rows[0].save()
    assert Session.objects.get(pk=rows[0].pk).title == "changed"


def test_a_rule_that_is_broken_is_an_integrity_error_and_nothing_is_stored(project):
    rows = _sessions(project, 40)
    rows[39].session_id = "s0"
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_insert(rows)
    assert not Session.objects.exists()


def test_nothing_is_no_statement(project, django_assert_num_queries):
    with django_assert_num_queries(0):
        rows_insert([])
