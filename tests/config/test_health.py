"""The health pages, with everything there and with things missing."""

import json
import subprocess
import sys

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from config.databases import sqlite_journal_mode
from config.settings.databases import cache_settings
from tests.config.served import ROOT, environment

# Asks each path of an AgentLedger whose database server is not there.
AWAY = """
import json, sys, django
django.setup()
from django.test import Client
from django.conf import settings
answers = {}
for path in sys.argv[1:]:
    browser = Client(raise_request_exception=False)
    browser.cookies[settings.SESSION_COOKIE_NAME] = "somebody"
    answer = browser.get(path)
    answers[path] = [answer.status_code, answer.headers.get("Retry-After"), answer["Content-Type"], answer.text]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """What callers are told while the database server is not there, by path."""
    given = {
        "DATABASE_URL": "postgres://somebody:hidden-word@127.0.0.1:1/nothing",
        "SECRET_KEY": "for this test only",
        "FIELD_ENCRYPTION_KEYS": "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "ALLOWED_HOSTS": "testserver",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    paths = ["/healthz", "/readyz", "/admin/", "/api/sessions/"]
    env = {**environment(tmp_path_factory.mktemp("away"), **given), "LOG_LEVEL": "CRITICAL"}
    command = [sys.executable, "-W", "ignore", "-c", AWAY, *paths]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_process_that_answers_is_healthy_without_any_database(client):
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_everything_there_is_ready(client):
    answer = client.get("/readyz")
    report = answer.json()
    assert (answer.status_code, report["status"]) == (200, "ok"), report
    assert {"database", "cache", "broker", "disk", "migrations"} <= set(report["checks"])
    assert answer["Cache-Control"].startswith("max-age=0")


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only the embedded database has a journal mode")
def test_sqlite_shows_its_version_and_journal_mode(client):
    check = client.get("/readyz").json()["checks"]["sqlite"]
    assert check["version"] == ".".join(str(part) for part in connection.Database.sqlite_version_info)
    assert check["journal_mode"] in {sqlite_journal_mode(), "memory"}


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_is_not_applied_is_not_ready(client):
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("sessions_app", "0001_initial")
    try:
        answer = client.get("/readyz")
    finally:
        recorder.record_applied("sessions_app", "0001_initial")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"]["detail"].startswith("1 migrations are not applied")


@pytest.mark.django_db
def test_a_broker_that_is_away_degrades_but_still_serves(client, settings):
    settings.EMBEDDED_BROKER, settings.CELERY_BROKER_URL = False, "redis://:hidden-word@127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["broker"]["detail"].startswith("The redis broker does not answer")
    assert "hidden-word" not in answer.text


@pytest.mark.django_db
def test_a_cache_that_is_away_degrades_but_still_serves(client, settings):
    settings.CACHES = {"default": cache_settings("redis://:hidden-word@127.0.0.1:1/0")}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["cache"]["detail"].startswith("The cache does not answer")
    assert "hidden-word" not in answer.text


@pytest.mark.django_db
def test_a_full_disk_is_not_ready(client, monkeypatch):
    monkeypatch.setattr("config.readiness.FULL_DISK_BYTES", 10**30)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["disk"]["status"]) == (503, "failed")


@pytest.mark.django_db
def test_settings_that_lose_committed_data_are_not_ready(client, settings):
    if connection.vendor != "sqlite":
        pytest.skip("the server's own settings are not this test's to change")
    options = settings.DATABASES["default"]["OPTIONS"]
    former = connection.settings_dict["OPTIONS"]["init_command"]
    connection.settings_dict["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF"
    try:
        answer = client.get("/readyz")
    finally:
        connection.settings_dict["OPTIONS"]["init_command"] = former
    assert options is not None
    assert answer.status_code == 503
    assert "synchronous=0" in answer.json()["checks"]["database"]["detail"]


def test_without_its_database_the_process_is_up_but_not_ready(away):
    assert away["/healthz"][0] == 200
    status, _retry, _kind, text = away["/readyz"]
    report = json.loads(text)
    assert (status, report["status"], report["checks"]["database"]["status"]) == (503, "failed", "failed")
    assert "hidden-word" not in text


def test_without_its_database_the_api_asks_to_come_back(away):
    status, retry, kind, text = away["/api/sessions/"]
    assert (status, kind) == (503, "application/problem+json")
    assert int(retry) > 0
    assert json.loads(text)["status"] == 503


def test_without_its_database_a_page_asks_to_come_back(away):
    status, retry, kind, text = away["/admin/"]
    assert (status, kind) == (503, "text/html; charset=utf-8")
    assert int(retry) > 0
    assert "hidden-word" not in text
