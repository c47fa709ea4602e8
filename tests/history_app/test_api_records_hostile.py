"""Hostile bodies of records: memory stays flat, and the answer counts exactly what is stored."""

import gzip
import json
import tracemalloc

import pytest
import zstandard

from history_app.models import Message
from tests.history_app.records import record
from tests.history_app.test_api_records import ADDRESS, ndjson, post_lines
from tests.history_app.test_api_records_bad_bodies import BROKEN, MEGABYTE

pytestmark = pytest.mark.django_db

COMPRESS = {"gzip": gzip.compress, "zstd": zstandard.compress}


def _texts(name, count):
    return gzip.compress(ndjson([record("message", f"{name}-{n}", content="text " * 800) for n in range(count)]))


def _peak(client, body, **options):
    """Return the most memory that Python held while the body was taken, beyond the body itself, and the answer."""
    tracemalloc.start()
    try:
        answer = post_lines(client, body, **options)
        return tracemalloc.get_traced_memory()[1], answer
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_body(agent):
    few, _answer = _peak(agent, _texts("few", 1500), headers={"Content-Encoding": "gzip"})
    many, answer = _peak(agent, _texts("many", 4000), headers={"Content-Encoding": "gzip"})
    assert answer.json() == {"accepted": 4000, "duplicates": 0, "rejected": []}
    # The second body is 10 MB longer.
    assert many - few < 3 * MEGABYTE


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_is_bounded_by_its_bytes_where_its_ratio_is_plausible(agent, settings, encoding):
    settings.MAX_BODY_BYTES = 2 * MEGABYTE
    # Digits that differ compress to a third or so.
    body = COMPRESS[encoding](_numbers(40_000))
    assert len(body) < settings.MAX_BODY_BYTES < len(_numbers(40_000))
    peak, answer = _peak(agent, body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer["Content-Type"]) == (413, "application/problem+json")
    assert peak < 20 * MEGABYTE
    assert not Message.objects.exists()


def _numbers(count):
    return ndjson([record("message", f"m-{n}", content=str(n * 104_729)) for n in range(count)])


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_takes_little_memory(agent, encoding):
    bomb = COMPRESS[encoding](b" " * (60 * MEGABYTE))
    peak, answer = _peak(agent, bomb, headers={"Content-Encoding": encoding})
    assert answer.status_code == 413
    assert peak < 40 * MEGABYTE


def _mixed():
    """Return a body in which a good line stands between all the broken ones."""
    broken = [line for name, body in BROKEN.items() if name != "UTF-16" for line in body.splitlines()]
    lines = [b"\xef\xbb\xbf"]
    for place, line in enumerate(broken):
        lines += [json.dumps(record("message", f"good-{place}")).encode(), b"  \r", line]
    return lines, len(broken)


def test_the_answer_counts_what_is_stored_whatever_stands_between(agent):
    lines, broken = _mixed()
    told = post_lines(agent, b"\n".join(lines)).json()
    assert (told["accepted"], told["duplicates"]) == (broken, 0)
    assert [each["index"] for each in told["rejected"]] == [1 + 2 * place for place in range(broken)]
    assert all(each["errors"][0]["detail"] for each in told["rejected"])
    stored = Message.objects.order_by("sequence").values_list("record_id", flat=True)
    assert list(stored) == [f"good-{place}" for place in range(broken)]


def test_atomic_stores_nothing_beside_a_line_that_cannot_be_read(agent):
    lines, _broken = _mixed()
    answer = post_lines(agent, b"\n".join(lines), params={"atomic": "true"})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/1"
    assert not Message.objects.exists()


def test_a_list_may_begin_with_a_bom_but_is_utf_8(agent):
    body = json.dumps([record("message", "m-1", content="Grüße")], ensure_ascii=False)
    assert agent.post(ADDRESS, body.encode("utf-16")).status_code == 400
    assert agent.post(ADDRESS, body.encode("utf-32-le")).status_code == 400
    assert not Message.objects.exists()
    assert agent.post(ADDRESS, b"\xef\xbb\xbf" + body.encode()).json()["accepted"] == 1


@pytest.mark.parametrize("digits", [20, 5000])
def test_a_record_with_too_long_a_number_is_named(agent, digits):
    good, bad = record("message", "good"), record("message", "bad", metadata={"a": {"b": [0]}})
    raw = json.dumps([good, bad]).replace("[0]", f"[1, {'9' * digits}]")
    told = agent.post(ADDRESS, raw).json()
    found = [(each["index"], each["record_id"], each["errors"][0]["pointer"]) for each in told["rejected"]]
    assert (told["accepted"], found) == (1, [(1, "bad", "/metadata/a/b/1")])
