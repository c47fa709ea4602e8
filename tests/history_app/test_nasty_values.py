"""Reliability B's value table: one value has one outcome on all databases and through every door."""

import json

import pytest
from django.db import connection, transaction

from config.shared.text import Replaced
from history_app.models import Message
from history_app.services.recording import record_many
from tests.factories import make_message, make_metric, make_token_usage
from tests.history_app.nasty_values import VALUES
from tests.history_app.records import record
from tests.history_app.test_api_records import ADDRESS, post_lines

pytestmark = pytest.mark.django_db

NEIGHBOUR = json.dumps(record("message", "neighbour", session_id="s-neighbour"))


def _through_a_list(agent, project, texts, now):
    return _answered(agent.post(ADDRESS, f"[{','.join(texts)}]"))


def _through_lines(agent, project, texts, now):
    return _answered(post_lines(agent, "\n".join(texts).encode()))


def _answered(answer):
    assert answer.status_code == 200, answer.content[:500]
    told = answer.json()
    replaced = [int(answer.headers.get(f"X-Replaced-{name}", 0)) for name in ("Characters", "Numbers")]
    refused = [(each["index"], each["record_id"], each["errors"][0]["pointer"]) for each in told["rejected"]]
    return told["accepted"], refused, replaced


def _through_python(agent, project, texts, now):
    replaced = Replaced()
    records = [json.loads(text) for text in texts]
    intake = record_many(project_id=project.pk, records=records, now=now, replaced=replaced)
    refused = [(each.index, each.record_id, each.errors[0].pointer) for each in intake.rejected]
    return intake.accepted, refused, [replaced.characters, replaced.numbers]


DOORS = {"list": _through_a_list, "lines": _through_lines, "python": _through_python}


def _read_back(agent, nasty):
    """Return the rows that the API shows of the value, as far as the corpus speaks of them."""
    rows = [row for row in agent.get(nasty.address).json()["results"] if row["record_id"] != "neighbour"]
    return [{name: row[name] for name in kept} for row, kept in zip(reversed(rows), nasty.kept, strict=True)]


@pytest.mark.parametrize("door", list(DOORS))
@pytest.mark.parametrize("name", list(VALUES))
def test_a_value_has_the_same_outcome_on_every_database_and_through_every_door(agent, project, now, name, door):
    nasty = VALUES[name]
    if door == "python":
        nasty = nasty.python or nasty
    texts = [NEIGHBOUR, *nasty.records]
    accepted, refused, replaced = DOORS[door](agent, project, texts, now)
    assert refused == ([] if nasty.refused is None else [(1, nasty.named, nasty.refused)])
    assert accepted == 1 + len(nasty.kept)
    assert replaced == [nasty.characters, nasty.numbers]
    assert _read_back(agent, nasty) == nasty.kept
    # The same again is known again, however it was altered on its way.
    assert DOORS[door](agent, project, texts, now)[0] == 0


def test_a_text_of_20_mb_alone_is_too_large(agent):
    texts = VALUES["a text of 20 MB"].records
    assert post_lines(agent, texts[0].encode()).status_code == 413
    assert agent.post(ADDRESS, f"[{texts[0]}]").status_code == 413
    assert not Message.objects.exists()


WRITTEN_DIRECTLY = {
    "NUL in text": (make_message, {"content": "a\x00b"}),
    "a lone surrogate in text": (make_message, {"content": "a\ud800b"}),
    "NaN where there must be a number": (make_metric, {"metric_value": float("nan")}),
    "2^63 in a column": (make_token_usage, {"total_tokens": 2**63}),
    "an id that is too long": (make_message, {"record_id": "x" * 256}),
}
WHAT_COMES_OF_IT = {
    "sqlite": ["stored", "UnicodeEncodeError", "IntegrityError", "OverflowError", "stored"],
    "postgresql": ["DataError", "UnicodeEncodeError", "stored", "DataError", "DataError"],
    "mysql": ["stored", "UnicodeEncodeError", "ProgrammingError", "DataError", "DataError"],
}


@pytest.mark.parametrize("place", range(len(WRITTEN_DIRECTLY)), ids=list(WRITTEN_DIRECTLY))
def test_control_past_the_validator_each_database_does_as_it_likes(project, place):
    make, fields = list(WRITTEN_DIRECTLY.values())[place]
    outcome = "stored"
    try:
        with transaction.atomic():
            make(**fields)
    except Exception as error:  # noqa: BLE001 (any error is an answer; some drivers raise their own, past Django)
        outcome = type(error).__name__
    assert outcome == WHAT_COMES_OF_IT[connection.vendor][place]


def test_control_a_column_of_the_default_collation_takes_ab_for_AB_on_mariadb(project):  # noqa: N802 (the case matters)
    make_message(content="ab")
    assert Message.objects.filter(content="AB").exists() == (connection.vendor == "mysql")
