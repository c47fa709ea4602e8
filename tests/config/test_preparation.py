"""What `serve` does before it serves, step by step."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as product_settings
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connection
from django_celery_beat.models import PeriodicTask

from config.serving import parts
from config.serving.address import Address
from config.serving.greeting import Greeting
from config.serving.locks import AlreadyRunning, preparing_lock, running_lock
from config.serving.preparation import prepare
from sessions_app.models import StaffUser
from sessions_app.services.first_login import first_login_create
from tests.config.served import until


@pytest.fixture
def said():
    """The lines that were shown."""
    return []


@pytest.mark.django_db(transaction=True)
def test_the_first_time_makes_login_and_schedule_and_the_second_nothing(said):
    prepare(said.append)
    admin = StaffUser.objects.get()
    password = next(line.split()[-1] for line in said if "password" in line)
    assert (admin.username, admin.is_superuser, admin.check_password(password)) == ("admin", True, True)
    assert PeriodicTask.objects.filter(name="sessions-mark-expired").exists()
    said.clear()
    prepare(said.append)
    assert said == []
    assert StaffUser.objects.count() == 1


@pytest.mark.django_db
def test_who_has_staff_already_gets_no_other_login():
    StaffUser.objects.create_user(username="somebody", is_staff=True)
    assert first_login_create() is None


@pytest.mark.django_db
def test_two_first_logins_differ():
    (first, password), _ = first_login_create(), StaffUser.objects.all().delete()
    _again, other = first_login_create()
    assert first.username == "admin"
    assert password != other
    assert len(password) >= 24


QUESTIONS = {
    "postgresql": ("SELECT setting::int / 1000.0 FROM pg_settings WHERE name = 'statement_timeout'"),
    "mysql": "SELECT @@max_statement_time",
}


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no limit for statements")
def test_migrations_take_the_time_they_need_and_the_limit_comes_back():
    def limit() -> float:
        with connection.cursor() as cursor:
            cursor.execute(QUESTIONS[connection.vendor])
            return float(cursor.fetchone()[0])

    assert limit() == product_settings.QUERY_TIMEOUT
    emit_pre_migrate_signal(0, False, "default")
    assert limit() == 0
    emit_post_migrate_signal(0, False, "default")
    assert limit() == product_settings.QUERY_TIMEOUT


def test_one_instance_runs_on_a_folder_and_the_next_hears_which(tmp_path):
    first = running_lock(tmp_path)
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        running_lock(tmp_path)
    os.close(first)
    os.close(running_lock(tmp_path))


def test_only_one_prepares_at_a_time(tmp_path):
    inside = []

    def once(_number: int) -> int:
        with preparing_lock(tmp_path):
            inside.append("in")
            there = len(inside)
            inside.pop()
            return there

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(once, range(200))) == {1}


def test_the_greeting_comes_once_and_only_when_something_answers():
    greetings = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        greeting = Greeting(Address("127.0.0.1", server.getsockname()[1]), lambda: greetings.append("ready"))
        greeting.poll()
        caller, _ = server.accept()
        greeting.poll()
        assert greetings == []
        # The one that was starting went away without an answer; the question is asked again.
        caller.close()
        until(lambda: greeting.poll() or greeting._socket is None)
        greeting.poll()
        caller, _ = server.accept()
        caller.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        until(lambda: greeting.poll() or greetings)
        greeting.poll()
        caller.close()
    assert greetings == ["ready"]


def test_jobs_are_started_without_pages_and_the_web_server_with_its_socket():
    assert parts.web(7, 2).descriptors == (7,)
    assert {"--socket=7", "--workers=2"} <= set(parts.web(7, 2).command)
    for part in (parts.worker(), parts.scheduler()):
        assert ("SERVES_PAGES", "off") in part.environment
        assert "--pool=prefork" not in part.command
