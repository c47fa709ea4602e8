"""The form of errors, and the OpenAPI document that tells of them."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import DataError, IntegrityError, OperationalError
from rest_framework.exceptions import Throttled, ValidationError

from config.shared import errors
from config.shared.api.problems import field_errors, problem_response


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidInput.at("/a", "wrong"), 400),
        (errors.NotFound(), 404),
        (errors.Forbidden("no"), 403),
        (errors.Conflict("twice"), 409),
        (errors.StaleVersion(3), 412),
        (errors.VersionRequired("say which"), 428),
        (errors.TooLarge("big"), 413),
        (errors.Unavailable("away"), 503),
        (OperationalError("could not connect to secret-host"), 503),
        (IntegrityError("constraint secret_name"), 409),
        (DataError("value too long for secret_column"), 400),
        (OverflowError("int too large"), 400),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 400),
        (PermissionDenied("secret reason"), 403),
        (Throttled(wait=2.5), 429),
    ],
)
def test_every_error_has_its_status_and_tells_no_secret(db, error, status):
    answer = problem_response(error, {})
    assert answer.status_code == answer.data["status"] == status
    assert answer.content_type == "application/problem+json"
    assert "secret" not in json.dumps(answer.data)
    assert ("Retry-After" in answer.headers) is (status in (429, 503))


def test_a_fault_of_the_code_is_not_hidden(db):
    assert problem_response(ZeroDivisionError(), {}) is None


def test_nested_errors_become_pointers():
    detail = ValidationError(
        {"a": {"b/c": ["one", "two"]}, "list": [{}, {"x": ["three"]}], "non_field_errors": ["four"]}
    )
    found = [(error.pointer, error.detail) for error in field_errors(detail.detail)]
    assert found == [("/a/b~1c", "one"), ("/a/b~1c", "two"), ("/list/1/x", "three"), ("", "four")]


def test_the_openapi_document_is_valid_and_tells_of_problems(tmp_path):
    target = tmp_path / "schema.json"
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(target))
    schema = json.loads(target.read_text())
    assert "/api/sessions/{session_id}/state/" in schema["paths"]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                assert "application/problem+json" in operation["responses"]["4XX"]["content"], (path, method)
