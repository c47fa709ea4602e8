"""The search index finds exactly what a plain scan of the texts finds, at every moment and on every database."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from history_app.models import Message
from history_app.services.search_index.filling import search_index_fill, search_index_reset
from history_app.services.search_index.reading import search
from tests.factories import NOW, make_session

pytestmark = pytest.mark.django_db

WORDS = [
    *("refund", "Order", "ORDER-77", "the", "a", "50%", "a_b", "it's", '"quoted"', "\\n", "x\n\ny"),
    *("退款", "订单已退款", "退", "한국어", "日本語テスト", "🚚🚚"),
    *("İstanbul", "Straße", "ſtop", "ΟΔΟΣ", "Σ", "ς", "e\u0301te\u0301", "K", "ﬁ", "Ǆ"),
]
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=8).map(" ".join)
STORED_TEXTS = TEXTS.map(lambda text: text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode())


def messages_of(texts, session=None):
    """Store messages with these texts, each a second after the one before; later ones may be older."""
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
            timestamp=NOW + timedelta(seconds=(first + n) * 7 % 50),
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


def found(query, **options):
    """Return the ids of all messages found, page by page."""
    scopes = {"message": Message.objects.all()}
    size = options.pop("size", 50)
    pks, after = [], None
    while True:
        page = search(query=query, scopes=scopes, size=size, after=after, **options)
        pks += [hit.pk for hit in page.hits]
        if page.next is None:
            return pks
        after = page.next


def scanned(query):
    """Return what a plain scan in Python finds, newest first."""
    rows = Message.objects.order_by("-timestamp", "-pk").values_list("pk", "content")
    return [pk for pk, content in rows if query.lower() in (content or "").lower()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
