"""The frame's own pages: the way in, what is not there, what is broken, and what browsers may load."""

import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from config import urls as product


def _breaks(request):
    raise RuntimeError("a secret of the code")


def _is_away(request):
    raise OperationalError("could not connect to somebody@db.internal")


def _refuses(request):
    raise SuspiciousOperation("no")


def _has_its_own_policy(request):
    return HttpResponse("ok", headers={"Content-Security-Policy": "default-src 'none'"})


urlpatterns = [
    path("breaks", _breaks),
    path("away", _is_away),
    path("refused", _refuses),
    path("own-policy", _has_its_own_policy),
    path("api/breaks", _breaks),
    path("api/away", _is_away),
    *product.urlpatterns,
]
handler400, handler404, handler500 = product.handler400, product.handler404, product.handler500


@pytest.fixture
def browser(settings):
    """A visitor of the product with some broken pages added."""
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def test_the_front_door_leads_to_the_admin(browser):
    answer = browser.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.parametrize(("page", "status"), [("/nothing", 404), ("/breaks", 500), ("/away", 503), ("/refused", 400)])
def test_a_person_reads_a_page_and_no_code(browser, page, status):
    answer = browser.get(page)
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert f">{status}<" in answer.text
    assert "secret of the code" not in answer.text
    assert "db.internal" not in answer.text


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_a_program_reads_a_problem_where_nothing_is(browser, method):
    for page in ("/api/nothing", "/api/nothing/", "/api/"):
        answer = getattr(browser, method)(page)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
        assert set(answer.json()) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize(("page", "status"), [("/api/breaks", 500), ("/api/away", 503)])
def test_a_program_reads_a_problem_where_something_is_broken(browser, page, status):
    answer = browser.get(page)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status
    assert "secret of the code" not in answer.text


@pytest.mark.parametrize("page", ["/away", "/api/away"])
def test_while_the_database_is_away_callers_hear_when_to_come_back(browser, page):
    assert int(browser.get(page)["Retry-After"]) > 0


def test_pages_say_it_in_the_language_of_the_reader(browser):
    assert browser.get("/nothing", headers={"Accept-Language": "zh-hans"})["Content-Language"] == "zh-hans"


def test_who_sends_too_much_reads_a_page_in_their_language(browser, settings):
    settings.MAX_BODY_BYTES = 3 << 19

    def sent(page, **options):
        file = SimpleUploadedFile("store.zip", b"x" * (settings.MAX_BODY_BYTES + 1))
        return browser.post(page, {"file": file}, **options)

    answer = sent("/admin/backups_app/importrun/bring-in")
    assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (413, "text/html")
    assert "at most 1.5 MB can be sent at once" in answer.text
    assert "最多可发送 1.5 MB" in sent("/admin/", headers={"Accept-Language": "zh-hans"}).text
    problem = sent("/api/sessions/")
    assert (problem.status_code, problem["Content-Type"]) == (413, "application/problem+json")
    assert problem.json()["detail"] == f"The body is over {settings.MAX_BODY_BYTES} bytes."


def _policy(answer) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))


def test_the_policy_is_strict_by_default(browser):
    policy = _policy(browser.get("/nothing"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"


def test_only_the_admin_may_evaluate_scripts(browser):
    assert _policy(browser.get("/admin/login/"))["script-src"] == "'self' 'unsafe-eval'"
    assert _policy(browser.get("/api/docs/"))["script-src"] == "'self'"


def test_a_page_keeps_the_policy_that_it_sets_itself(browser):
    assert browser.get("/own-policy")["Content-Security-Policy"] == "default-src 'none'"


def test_static_files_are_served_without_being_collected(browser):
    answer = browser.get("/static/config/error.css")
    assert answer.status_code == 200
    assert b"color-scheme" in b"".join(answer.streaming_content)


def test_pages_cannot_be_framed_and_are_what_they_say(browser):
    answer = browser.get("/nothing")
    assert (answer["X-Frame-Options"], answer["X-Content-Type-Options"]) == ("DENY", "nosniff")


def test_behind_tls_plain_http_is_sent_on_but_health_is_not(browser, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert browser.get("/")["Location"] == "https://testserver/"
    assert browser.get("/healthz").status_code == 200
