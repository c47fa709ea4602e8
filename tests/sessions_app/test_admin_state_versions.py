"""The page of a session's state: any two versions compared, and one click, confirmed, back to one of them."""

import pytest
from django.urls import reverse

from sessions_app.models import AuditEntry, SessionState
from sessions_app.services.drafts import StateDraft
from sessions_app.services.states import state_save
from tests.factories import make_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(project, now):
    session = make_session(project=project, session_id="s1")
    for number, step in enumerate(("ask", "wait", "tell")):
        draft = StateDraft(current_step=step, data={"plan": ["a", "b"], "n": number, "<b>": "订单"})
        state_save(session=session, draft=draft, now=now)
    return session


def _page(session) -> str:
    return reverse("admin:sessions_app_session_states", args=[session.pk])


def _lines(answer) -> list[str]:
    return [line.sign + line.text.strip() for line in answer.context["lines"] if line.kind in ("added", "removed")]


def test_the_newest_change_is_shown_first(staff_admin, session):
    answer = staff_admin.get(_page(session))
    assert answer.status_code == 200
    assert _lines(answer) == ['−"current_step": "wait",', '+"current_step": "tell",', '−"n": 1,', '+"n": 2,']
    assert "&lt;b&gt;" in answer.content.decode()
    assert [row.version for row in answer.context["versions"]] == [3, 2, 1]


def test_any_two_versions_are_compared(staff_admin, session):
    lines = _lines(staff_admin.get(_page(session), {"a": 3, "b": 1}))
    assert lines == ['−"current_step": "tell",', '+"current_step": "ask",', '−"n": 2,', '+"n": 0,']
    assert _lines(staff_admin.get(_page(session), {"a": 2, "b": 2})) == []
    for gone in ({"a": 9, "b": 1}, {"a": 9999999999, "b": 1}, {"back": 77}):
        assert staff_admin.get(_page(session), gone).status_code == 404
    assert staff_admin.get(_page(session), {"a": "x", "b": "-1"}).status_code == 200


def test_going_back_asks_first_and_is_audited(staff_admin, session):
    asked = staff_admin.get(_page(session), {"back": 1})
    assert (asked.context["wanted"].version, SessionState.objects.count()) == (1, 3)
    assert _lines(asked)[:2] == ['−"current_step": "tell",', '+"current_step": "ask",']
    done = staff_admin.post(_page(session), {"version": 1, "seen_version": 3}, follow=True)
    assert "Version 1 is the state again, as version 4." in done.content.decode()
    assert SessionState.objects.current().get().current_step == "ask"
    entry = AuditEntry.objects.latest("number")
    assert (entry.action, entry.actor, entry.target_id) == ("state.rollback", "staff_admin", "s1")
    assert entry.changes == {"version": [3, 4], "returned_to": 1}


def test_a_state_that_moved_on_is_not_overwritten(staff_admin, session, now):
    state_save(session=session, draft=StateDraft(current_step="newer"), now=now)
    told = staff_admin.post(_page(session), {"version": 1, "seen_version": 3}, follow=True).content.decode()
    assert "has changed since you looked" in told
    assert (
        "not kept any more"
        in staff_admin.post(_page(session), {"version": 9, "seen_version": 4}, follow=True).content.decode()
    )
    staff_admin.post(_page(session), {})
    assert SessionState.objects.current().get().current_step == "newer"
    assert not AuditEntry.objects.filter(action="state.rollback").exists()


def test_analysts_see_no_contents_and_change_nothing(analyst, session):
    answer = analyst.get(_page(session))
    assert answer.status_code == 200
    assert "订单" not in answer.content.decode()
    assert analyst.post(_page(session), {"version": 1, "seen_version": 3}).status_code == 403
    assert SessionState.objects.count() == 3


def test_walls_and_empty_states(staff_admin, analyst, other_project, project):
    assert analyst.get(_page(make_session(project=other_project))).status_code == 404
    empty = make_session(project=project)
    assert "No state has been saved." in staff_admin.get(_page(empty)).content.decode()


def test_the_page_takes_as_many_queries_for_many_versions(staff_admin, session, now, django_assert_max_num_queries):
    for number in range(30):
        state_save(session=session, draft=StateDraft(iteration_count=number), now=now)
    with django_assert_max_num_queries(10):
        assert len(staff_admin.get(_page(session)).context["versions"]) == 33
