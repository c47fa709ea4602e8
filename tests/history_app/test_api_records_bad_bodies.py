"""Bodies that are broken, hostile or strange: a 4xx or a named record, and nothing stored that was not counted."""

import gzip
import io
import json
import resource

import pytest
import zstandard
from django.test import RequestFactory
from django.test.client import ClientHandler

from history_app.models import Message
from tests.history_app.records import record
from tests.history_app.test_api_records import ADDRESS, ndjson, post_lines

pytestmark = pytest.mark.django_db

GOOD = ndjson([record("message", "good")])
MEGABYTE = 1 << 20


def _deep(levels):
    return (
        b'{"record_type": "message", "session_id": "s", "role": "user", "content": '
        + b"[" * levels
        + b"]" * levels
        + b"}\n"
    )


BROKEN = {
    "no JSON at all": b"hello\nworld\n",
    "an empty list's bracket": b"[\n",
    "deep nesting": _deep(100_000),
    "a number of 5,000 digits": b'{"record_type": "metric", "session_id": "s", "metric_value": ' + b"9" * 5000 + b"}\n",
    "UTF-16": json.dumps(record("message", "m")).encode("utf-16"),
    "Latin-1": '{"record_type": "message", "session_id": "s", "role": "user", "content": "Grüße"}\n'.encode("latin-1"),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_without_one_readable_record_is_refused(agent, body):
    answer = post_lines(agent, body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert not Message.objects.exists()


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_the_same_as_a_list_is_refused_or_its_record_named(agent, body):
    answer = agent.post(ADDRESS, b"[" + body.rstrip(b"\n") + b"]")
    assert answer.status_code == 400
    assert not Message.objects.exists()


@pytest.mark.parametrize("bad", [body for name, body in BROKEN.items() if name != "UTF-16"])
def test_an_unreadable_line_does_not_sink_its_neighbours(agent, bad):
    told = post_lines(agent, GOOD + bad + ndjson([record("message", "good too")])).json()
    assert told["accepted"] == 2
    assert len(told["rejected"]) == bad.count(b"\n") + (not bad.endswith(b"\n"))
    assert all(each["record_id"] is None and each["index"] >= 1 for each in told["rejected"])


def test_one_number_beyond_64_bits_in_a_list_does_not_sink_its_neighbours(agent):
    bad = {**record("message", "bad"), "metadata": {"n": 2**70, "f": float("nan")}}
    nan = {**record("message", "nan"), "metadata": {"n": float("nan")}}
    told = agent.post(ADDRESS, json.dumps([record("message", "good"), bad, nan])).json()
    assert told["accepted"] == 2
    assert told["rejected"][0]["errors"][0]["pointer"] == "/metadata/n"
    assert Message.objects.get(record_id="nan").metadata == {"n": None}


@pytest.mark.parametrize("body", [b"", b"{}", b'"text"', b"null", b"7"])
def test_json_that_is_no_list_is_refused(agent, body):
    assert agent.post(ADDRESS, body).status_code == 400


def test_an_unknown_content_type_is_refused(agent):
    assert agent.post(ADDRESS, GOOD, content_type="text/csv").status_code == 415


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_compressed_body_that_is_cut_off_stores_nothing(agent, encoding, kept):
    compress = gzip.compress if encoding == "gzip" else zstandard.compress
    body = compress(ndjson([record("message", f"m-{n}", content=f"{n * 7919} texts") for n in range(2000)]))
    answer = post_lines(agent, body[: int(len(body) * kept)], headers={"Content-Encoding": encoding})
    assert answer.status_code == 400
    assert not Message.objects.exists()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_is_not_compressed_as_it_says_is_refused(agent, encoding):
    assert post_lines(agent, GOOD, headers={"Content-Encoding": encoding}).status_code == 400
    assert post_lines(agent, GOOD, headers={"Content-Encoding": "br"}).status_code == 415


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("address", [ADDRESS, "/api/sessions/"])
def test_a_bomb_is_refused_in_little_memory(agent, encoding, address):
    blank = b" " * MEGABYTE
    compressor = zstandard.ZstdCompressor().compressobj() if encoding == "zstd" else None
    bomb = (
        b"".join(compressor.compress(blank) for _ in range(2000)) + compressor.flush()
        if compressor
        else gzip.compress(blank * 300)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = agent.post(address, bomb, headers={"Content-Encoding": encoding})
    assert answer.status_code == 413
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_a_record_over_the_limit_is_named_and_its_neighbours_are_stored(agent):
    huge = json.dumps(record("message", "huge", content="x" * (30 * MEGABYTE))).encode() + b"\n"
    told = post_lines(agent, GOOD + huge + ndjson([record("message", "last")])).json()
    assert (told["accepted"], [each["index"] for each in told["rejected"]]) == (2, [1])
    assert post_lines(agent, huge).status_code == 413
    told = agent.post(ADDRESS, b"[" + GOOD + b"," + huge + b"]").json()
    assert (told["duplicates"], [each["index"] for each in told["rejected"]]) == (1, [1])


def test_more_records_than_the_limit_are_refused(agent, settings):
    settings.MAX_RECORDS = 5
    answer = post_lines(agent, ndjson([record("message", f"m-{n}") for n in range(6)]))
    assert answer.status_code == 413
    assert not Message.objects.exists()


def test_a_body_shorter_than_its_content_length_stores_nothing(agent):
    # A client that goes away in the middle, just behind a line.
    environ = {
        **RequestFactory().post(ADDRESS, GOOD, content_type="application/x-ndjson").environ,
        "HTTP_AUTHORIZATION": f"Bearer {agent.token}",
        "CONTENT_LENGTH": str(len(GOOD) + 9),
        "wsgi.input": io.BytesIO(GOOD),
    }
    answer = ClientHandler()(environ)
    assert answer.status_code == 400
    assert not Message.objects.exists()


def test_nul_and_lone_surrogates_are_replaced_and_counted(agent):
    body = ndjson([record("message", "m-1", content="a\x00b")]) + (
        b'{"record_type": "message", "session_id": "s-1", "record_id": "m-2", "role": "user", "content": "\\ud800"}\n'
    )
    answer = post_lines(agent, body)
    assert answer.json()["accepted"] == 2
    assert answer["X-Replaced-Characters"] == "2"
    assert [each.content for each in Message.objects.order_by("sequence")] == ["a\ufffdb", "\ufffd"]
