"""Many writers change one end user at once: preferences, provider keys and usage, and nothing is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from config.shared.callers import SYSTEM
from history_app.selectors.users import usage_stats_of_user
from history_app.services.recording import record
from sessions_app.models import AuditEntry, UserConfig
from sessions_app.services.user_configs import user_config_save
from tests.factories import default_project

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, TOKENS, USER = 6, 7, "ada"
PATIENCE_SECONDS = 120


@pytest.fixture
def project_id(store):
    """The default project's key, where every thread sees it."""
    return default_project().pk


def _at_once(work, rounds):
    """Let each writer do its work round by round, all of them beginning a round together."""
    start = threading.Barrier(WRITERS)

    def run(writer):
        try:
            for number in range(rounds):
                start.wait(PATIENCE_SECONDS)
                work(writer, number)
        except BaseException:
            start.abort()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(run, range(WRITERS)))


def _secret(writer, number):
    return f"sk-of-writer-{writer}-in-round-{number:06}"


@pytest.mark.parametrize("rounds", [15, pytest.param(200, marks=pytest.mark.torture)])
def test_no_preference_no_key_and_no_usage_is_lost(project_id, now, rounds):
    def work(writer, number):
        user_config_save(
            project_id=project_id,
            user_id=USER,
            preferences={"seen": {f"{writer}-{number}": number}, f"newest of {writer}": number},
            api_keys={f"own {writer}": _secret(writer, number), "shared": _secret(writer, number)},
            merge=True,
            now=now,
            caller=SYSTEM,
        )
        used = {"record_type": "token_usage", "session_id": f"s{writer}", "user_id": USER, "model": "m"}
        record(project_id=project_id, fields={**used, "total_tokens": TOKENS}, now=now)

    # Nobody has made the user before: who comes first makes it.
    _at_once(work, rounds)

    everything = WRITERS * rounds
    row = UserConfig.objects.get()
    assert row.version == everything
    newest = {f"newest of {writer}": rounds - 1 for writer in range(WRITERS)}
    seen = {f"{writer}-{number}": number for writer in range(WRITERS) for number in range(rounds)}
    assert row.preferences == {"seen": seen, **newest}
    keys = {key.provider: key.reveal() for key in row.provider_keys.all()}
    assert keys.pop("shared") in {_secret(writer, rounds - 1) for writer in range(WRITERS)}
    assert keys == {f"own {writer}": _secret(writer, rounds - 1) for writer in range(WRITERS)}
    used = usage_stats_of_user(project_id, USER)
    assert (used["usage_count"], used["total_tokens"]) == (everything, everything * TOKENS)
    assert AuditEntry.objects.filter(action="user_config.create").count() == 1
    assert AuditEntry.objects.filter(action="user_config.update").count() == everything - 1
    assert AuditEntry.objects.filter(action="provider_key.set").count() == 2 * everything


def test_who_comes_first_makes_the_user_and_the_others_change_it(project_id, now):
    rounds = 20

    def work(writer, number):
        mine = {"preferences": {f"of {writer}": number}, "api_keys": {f"own {writer}": _secret(writer, number)}}
        user_config_save(project_id=project_id, user_id=f"u{number}", merge=True, now=now, caller=SYSTEM, **mine)

    _at_once(work, rounds)
    for number in range(rounds):
        row = UserConfig.objects.get(user_id=f"u{number}")
        assert row.preferences == {f"of {writer}": number for writer in range(WRITERS)}
        assert (row.version, row.provider_keys.count()) == (WRITERS, WRITERS)


def test_read_change_and_write_loses_some(project_id, now):
    """The control: document 002 reads a user, counts on, and writes it back."""
    rounds = 15
    UserConfig.objects.create(project_id=project_id, user_id=USER, preferences={"calls": 0})
    read = threading.Barrier(WRITERS)

    def work(writer, number):
        row = UserConfig.objects.get()
        read.wait(PATIENCE_SECONDS)
        with transaction.atomic():
            row.preferences["calls"] += 1
            row.save()

    _at_once(work, rounds)
    assert UserConfig.objects.get().preferences["calls"] < WRITERS * rounds
