"""The search index finds exactly what a plain scan of the texts finds, at every moment and on every database."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history_app.models import Message, SearchBlock, SearchDirty, ToolCall
from history_app.services.search_index import filling, reading
from history_app.services.search_index.filling import search_dirty_note, search_index_fill, search_index_reset
from history_app.services.search_index.needles import DOTTED_I, KELVIN, is_comparable
from history_app.services.search_index.reading import search
from history_app.services.search_index.sources import tool_call_text
from tests.factories import NOW, make_session

pytestmark = pytest.mark.django_db

WORDS = [
    *("refund", "Order", "ORDER-77", "the", "a", "50%", "a_b", "it's", '"quoted"', "\\n", "x\n\ny"),
    *("退款", "订单已退款", "退", "한국어", "日本語テスト", "🚚🚚"),
    *("İstanbul", "Straße", "ſtop", "ΟΔΟΣ", "Σ", "ς", "e\u0301te\u0301", "K", "ﬁ", "Ǆ"),
]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=8).map(" ".join)
STORED_TEXTS = TEXTS.map(lambda text: text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode())


def messages_of(texts, session=None, in_order=False):
    """Store messages with these texts; later ones may be older, unless they are to be in order."""
    session = session or make_session()
    first = Message.objects.filter(session=session).count()
    rows = [
        Message(
            project_id=session.project_id,
            session=session,
            record_id=f"m-{first + n}",
            sequence=first + n + 1,
            role="user",
            content=text,
            timestamp=NOW + timedelta(seconds=first + n if in_order else (first + n) * 7 % 50),
        )
        for n, text in enumerate(texts)
    ]
    Message.objects.bulk_create(rows)
    return session


def index(least=1):
    """Bring the index up to date, whatever waits; on MariaDB only what has aged is taken."""
    later = NOW + timedelta(days=index.calls)
    index.calls += 2
    search_index_fill(now=later, least=least)
    return search_index_fill(now=later + timedelta(days=1), least=least)


index.calls = 1


def found(query, rows=None, **options):
    """Return the ids of all messages found, page by page."""
    scopes = {"message": Message.objects.all() if rows is None else rows}
    size = options.pop("size", 50)
    pks, after = [], None
    while True:
        page = search(query=query, scopes=scopes, size=size, after=after, **options)
        pks += [hit.pk for hit in page.hits]
        if page.next is None:
            return pks
        after = page.next


def scanned(query, rows=None):
    """Return what a plain scan in Python finds, newest first."""
    rows = Message.objects.all() if rows is None else rows
    rows = rows.order_by("-timestamp", "-pk").values_list("pk", "content")
    return [pk for pk, content in rows if query.lower() in (content or "").lower()]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(STORED_TEXTS, min_size=1, max_size=30),
    split=st.integers(0, 30),
    cut=st.tuples(st.integers(0, 29), st.integers(0, 60), st.integers(1, 12)),
    other=STORED_TEXTS,
    size=st.integers(1, 7),
)
def test_the_answer_is_that_of_a_plain_scan_wherever_the_watermark_stands(project, *, texts, split, cut, other, size):
    Message.objects.all().delete()
    search_index_reset()
    session = messages_of(texts[:split])
    index()
    messages_of(texts[split:], session)
    whole = texts[cut[0] % len(texts)]
    queries = {whole[cut[1] : cut[1] + cut[2]], whole, other, whole.upper()[cut[1] :][: cut[2]], whole[:1], "zzz"}
    for query in queries - {""}:
        assert found(query, size=size) == scanned(query)


FOLDED = [
    "İstanbul İ",
    "i\u0307",
    "I",
    "ı",
    "Straße",
    "STRASSE",
    "ẞ",
    "ΟΔΟΣ",
    "ὈΔΥΣΣΕΎΣ.",
    "σς",
    "\u212aelvin",
    "Å",
    "ǅ",
    "ﬀ",
]


@pytest.mark.parametrize("indexed", [True, False])
def test_case_is_folded_as_python_does_on_every_database(project, indexed):
    messages_of(FOLDED)
    if indexed:
        index()
    pieces = {piece for text in FOLDED for piece in (text, text.lower(), text.upper(), text[:1], text[-1:])}
    wrong = [query for query in pieces if found(query) != scanned(query)]
    assert wrong == []


def test_the_database_leaves_out_by_no_character_that_it_may_fold_otherwise():
    others = [chr(code) for code in range(128, 0x110000) if chr(code).lower() != chr(code)]
    becomes = {one: [part for part in one.lower() if is_comparable(part)] for one in others}
    assert {one for one, parts in becomes.items() if parts} == {DOTTED_I, KELVIN}


def test_two_chinese_characters_are_found_and_their_neighbours_are_not(project):
    messages_of(["请退款", "退 款", "款退", "订单退款已到账", "退", "refund 退款!"])
    expected = scanned("退款")
    assert len(expected) == 3
    assert found("退款") == expected
    index()
    assert found("退款") == expected


VALUES = st.recursive(
    st.none() | st.booleans() | STORED_TEXTS,
    lambda inner: st.dictionaries(STORED_TEXTS, inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8),
    cut=st.tuples(st.integers(0, 40), st.integers(1, 9)),
)
def test_tool_calls_are_found_by_what_went_in_and_came_out(project, calls, cut):
    ToolCall.objects.all().delete()
    search_index_reset()
    session = make_session()
    common = {"project_id": session.project_id, "session": session, "tool_name": "t", "timestamp": NOW}
    rows = [
        ToolCall(**common, record_id=f"t-{n}", tool_input=one, tool_output=two) for n, (one, two) in enumerate(calls)
    ]
    ToolCall.objects.bulk_create(rows[::2])
    index()
    ToolCall.objects.bulk_create(rows[1::2])
    texts = {row.pk: _call_text(row.pk) for row in ToolCall.objects.order_by("-pk")}
    whole = max(texts.values(), key=len)
    for query in {whole[cut[0] : sum(cut)], whole[-cut[1] :], "\n", "退款", '":'} - {""}:
        page = search(query=query, scopes={"tool_call": ToolCall.objects.all()}, size=50)
        assert [hit.pk for hit in page.hits] == [pk for pk, text in texts.items() if query.lower() in text.lower()]


def _call_text(pk):
    """Return the text of a stored call, from the columns as they are stored."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT tool_input, tool_output FROM history_app_toolcall WHERE id = %s", [pk])
        return tool_call_text(*cursor.fetchone())


def test_a_search_keeps_to_its_scope_and_its_times_wherever_the_watermark_stands(project):
    first, second = make_session(), make_session()
    for _round in range(3):
        messages_of(["a refund", "none", "Refund!"] * 4, first)
        messages_of(["the refund", "退款"] * 5, second)
        index()
    messages_of(["a late refund"], first)
    for rows in (Message.objects.filter(session=first), Message.objects.filter(session=second), Message.objects.none()):
        for narrow in (True, False):
            assert found("refund", rows, narrow=narrow, size=3) == scanned("refund", rows)
    start, end = NOW + timedelta(seconds=7), NOW + timedelta(seconds=28)
    within = Message.objects.filter(timestamp__gte=start, timestamp__lt=end)
    assert found("refund", start=start, end=end, size=2) == scanned("refund", within)


def test_large_blocks_are_made_of_small_ones_and_find_the_same(project, monkeypatch):
    monkeypatch.setattr(filling, "FANOUT", 3)
    monkeypatch.setattr(filling, "RUNS_BY_TIER", (5, 15, 16384))
    texts = [f"number {n} of the {'refund' if n % 7 == 0 else 'order'}" + " 退款" * (n % 11 == 0) for n in range(400)]
    session = messages_of(texts[:150])
    index()
    messages_of(texts[150:], session)
    index()
    assert max(SearchBlock.objects.values_list("tier", flat=True)) == 2
    for query in ("refund", "退款", "number 39", "of the order", "9 o", "absent"):
        assert found(query, size=9) == scanned(query)


def test_changed_records_are_found_by_what_they_say_now_until_their_block_is_built_anew(project, monkeypatch):
    messages_of([f"refund {n}" for n in range(60)])
    index()
    for row in Message.objects.order_by("pk")[:20]:
        row.content = f"order {row.pk}"
        row.save()
        search_dirty_note(fact=row)
    Message.objects.filter(record_id="m-30").delete()
    for _time in range(2):
        assert (found("refund"), found("ORDER")) == (scanned("refund"), scanned("order"))
        monkeypatch.setattr(filling, "DIRTY_LIMIT", 5)
        index()
    assert not SearchDirty.objects.exists()


def test_a_page_that_has_looked_at_enough_says_where_to_go_on(project, monkeypatch):
    monkeypatch.setattr(reading, "EFFORT_PER_PAGE", 20)
    said = [f"the {'of the order' if n % 100 == 0 else 'order of the'} {n}" for n in range(600)]
    messages_of(said, in_order=True)
    index()
    scopes = {"message": Message.objects.all()}
    first = search(query="of the order", scopes=scopes, size=50)
    assert len(first.hits) < 6
    assert first.next is not None
    assert found("of the order") == scanned("of the order")
