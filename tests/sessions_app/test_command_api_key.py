"""The keys by which agents come in, as operators make them on the command line."""

import json
import sqlite3
from contextlib import closing

import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import ApiKey
from tests.clients import ApiClient
from tests.config.served import manage

pytestmark = pytest.mark.django_db


def _called(capsys, *words):
    call_command("api_key", *words)
    return capsys.readouterr().out


def test_a_key_made_here_opens_the_api(project, capsys):
    token = _called(capsys, "create", "support agent").strip()
    assert ApiClient(token).get("/api/sessions/").status_code == 200


def test_a_key_is_printed_once_and_never_listed(project, capsys):
    made = json.loads(_called(capsys, "create", "support agent", "--role", "reader", "--expires", "30", "--json"))
    listed = _called(capsys, "list", "--json")
    assert made["key"] not in listed
    assert [(key["prefix"], key["role"]) for key in json.loads(listed)] == [(made["prefix"], "reader")]
    assert made["key"] not in str(ApiKey.objects.values())


def test_a_revoked_key_opens_nothing(project, capsys):
    made = json.loads(_called(capsys, "create", "support agent", "--json"))
    assert "is revoked" in _called(capsys, "revoke", made["prefix"])
    assert ApiClient(made["key"]).get("/api/sessions/").status_code == 401
    assert "revoked" in _called(capsys, "list")


def test_an_empty_project_says_so(project, capsys):
    assert "no keys yet" in _called(capsys, "list")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "x", "--project", "nowhere"), "no project"),
        (("create", "  "), "^name: A key needs a name"),
        (("create", "x", "--expires", "-1"), "^--expires: A key cannot end before"),
        (("create", "x", "--expires", "99999999999"), "days"),
        (("revoke", "unknown"), "no key with the prefix"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(project, words, said):
    with pytest.raises(CommandError, match=said):
        call_command("api_key", *words)


def test_a_store_that_another_one_has_locked_is_told_in_one_line(tmp_path):
    store = tmp_path / "agentledger.sqlite3"
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        done = manage(tmp_path, "api_key", "create", "x", DATABASE_URL=f"sqlite:///{store}?timeout=0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "CommandError: The database refuses: database is locked\n"
