"""`manage.py serve` from outside: the first start, the second, jobs, restarts, and an end that leaves nothing."""

import http.cookiejar
import os
import re
import signal
import socket
import sqlite3
import stat
import urllib.parse
import urllib.request

import pytest

from tests.config.served import Served, manage, until

pytestmark = pytest.mark.serve


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A DATA_DIR that has been through its first start, with what that start printed."""
    data_dir = tmp_path_factory.mktemp("prepared")
    served = Served(data_dir, "--web-only")
    try:
        address = served.ready()
        login = re.search(r"user name +(\S+)\n +password +(\S+)", served.output).groups()
        page = _page_after_login(address, *login)
        served.stop()
    finally:
        served.kill_all()
    return data_dir, login, page, served.output


@pytest.fixture
def serve(prepared):
    """Start it on the prepared DATA_DIR; whatever a test leaves running is ended."""
    started = []

    def start(*options: str, **environment: str) -> Served:
        started.append(Served(prepared[0], *options, **environment))
        return started[-1]

    yield start
    for served in started:
        # Shown with a test that fails.
        print(served.output, *served.processes().values(), sep="\n")
        served.kill_all()


def _page_after_login(address: str, name: str, password: str) -> str:
    """Log in to the admin as a browser would, and return the page that comes then."""
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    login = f"{address}admin/login/?next=/admin/"
    form = browser.open(login).read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form).group(1)
    fields = {"csrfmiddlewaretoken": token, "username": name, "password": password, "next": "/admin/"}
    request = urllib.request.Request(login, urllib.parse.urlencode(fields).encode(), {"Referer": login})
    return browser.open(request).read().decode()


def test_the_first_start_prints_a_login_that_works(prepared):
    _data_dir, (name, _password), page, _output = prepared
    assert name == "admin"
    assert "/admin/logout/" in page


def test_the_first_password_is_kept_nowhere_in_clear(prepared):
    data_dir, (_name, password), _page, _output = prepared
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if password.encode() in path.read_bytes()]


def test_what_it_keeps_is_readable_by_its_owner_only(prepared):
    secrets = [prepared[0] / "secret_key", prepared[0] / "field_encryption_keys"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in secrets] == [0o600, 0o600]


def test_a_second_start_repeats_nothing_of_the_first(prepared, serve):
    secrets = (prepared[0] / "secret_key").read_bytes()
    served = serve("--web-only")
    served.ready()
    assert "Preparing the database" in prepared[3]
    assert "Preparing the database" not in served.output
    assert "password" not in served.output
    assert (prepared[0] / "secret_key").read_bytes() == secrets


def test_the_scheduled_job_runs_and_marks_a_session_that_has_expired(prepared, serve):
    code = (
        "from datetime import timedelta; from django.utils import timezone;"
        "from tests.factories import make_session;"
        "make_session(session_id='long-over', status='active',"
        " expires_at=timezone.now() - timedelta(hours=1))"
    )
    made = manage(prepared[0], "shell", "-c", code)
    assert made.returncode == 0, made.stderr
    served = serve(CLEANUP_INTERVAL="1")
    served.ready()
    question = "SELECT status FROM sessions_app_session WHERE session_id = 'long-over'"

    def status() -> str:
        with sqlite3.connect(prepared[0] / "agentledger.sqlite3", timeout=20) as connection:
            return connection.execute(question).fetchone()[0]

    until(lambda: status() == "expired")


def test_ctrl_c_ends_everything_and_succeeds(serve):
    served = serve()
    served.ready()
    served.part("config.celery beat")
    assert served.stop(signal.SIGINT) == 0
    assert served.processes() == {}
    assert served.output.endswith("AgentLedger has stopped.")


def test_what_dies_is_started_again_and_the_address_stays(serve):
    served = serve()
    address = served.ready()
    for words in ("pool=threads", "config.celery beat", "manage.py serve"):
        os.kill(served.part(words), signal.SIGKILL)
    until(lambda: served.output.count("starting it again") == 3)
    assert urllib.request.urlopen(f"{address}healthz").status == 200
    served.part("pool=threads")
    served.part("config.celery beat")
    served.stop()
    assert served.processes() == {}


def test_nothing_survives_when_the_supervisor_itself_is_killed(serve):
    served = serve()
    served.ready()
    served.part("config.celery beat")
    served.process.kill()
    until(lambda: served.processes() == {})


def test_a_second_one_on_the_same_data_is_refused_in_one_line(prepared, serve):
    serve("--web-only").ready()
    running = serve()
    running.ready()
    second = manage(prepared[0], "serve", "--bind", "127.0.0.1:0")
    assert second.returncode == 1
    assert (
        second.stderr == f"CommandError: AgentLedger already runs on {prepared[0]} (process {running.process.pid}).\n"
    )


def test_a_taken_port_is_told_in_one_line(prepared):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        done = manage(prepared[0], "serve", "--bind", address)
    assert done.returncode == 1
    assert done.stderr.startswith(f"CommandError: {address} is used by another program. Stop it, or choose")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("bad", ["nonsense:port", "127.0.0.1:99999", "127.0.0.1:-1"])
def test_what_is_no_address_is_told_in_one_line(prepared, bad):
    done = manage(prepared[0], "serve", "--bind", bad)
    assert done.returncode == 1
    assert done.stderr == f"CommandError: '{bad}' is no address. Write host:port, such as 127.0.0.1:8000.\n"
