"""YAML is read without running or expanding anything, and secrets are taken out of it."""

import pytest

from backups_app.legacy.secrets import is_secret_name, split_secrets
from config.shared.yaml_plain import BadYAML, read_yaml


def test_plain_text_stays_as_written_unless_it_is_unmistakable():
    text = (
        b"country: NO\nenabled: on\nversion: 1.10\nclock: 12:30:45\nold: 014\nday: 2024-10-22\n"
        b"n: 10\nt: 0.7\nyes: true\nnone: null\nq: '10'\n"
    )
    assert read_yaml(text, 10).value == {
        "country": "NO", "enabled": "on", "version": "1.10", "clock": "12:30:45", "old": "014", "day": "2024-10-22",
        "n": 10, "t": 0.7, "yes": True, "none": None, "q": "10",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'!!python/object/apply:os.system ["touch pwned"]\n', "tag"),
        (b"run: !!python/name:os.system\n", "tag"),
        (b"a: &a [x]\nb: [*a, *a]\n", "alias"),
        (b"a: &a [*a]\n", "alias"),
        (b"a: 1\n---\nb: 2\n", "several_documents"),
        (b"", "empty"),
        (b"a:\n\tb: 1\n", "invalid_yaml"),
        (b"a: [1, 2\nb: }\n", "invalid_yaml"),
        ("说明: 中文".encode("gbk"), "not_utf8"),
        (b"? [a, b]\n: 1\n", "key"),
        (b"[" * 60 + b"]" * 60, "nested_too_deep"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(text, code):
    with pytest.raises(BadYAML) as raised:
        read_yaml(text, 50)
    assert raised.value.code == code


def test_a_key_that_stands_twice_is_told():
    found = read_yaml(b"model: a\nmodel: b\n", 10)
    assert (found.value, found.repeated_keys) == ({"model": "b"}, [("model", 2)])


def test_no_refusal_quotes_the_file():
    with pytest.raises(BadYAML) as raised:
        read_yaml(b"api_key: sk-FAKE0123456789abcdef\nbroken: [\n", 10)
    assert "sk-FAKE" not in str(raised.value)


def test_secrets_are_masked_by_name_and_by_look():
    value, secrets = split_secrets(
        {
            "api_key": "sk-FAKE0123456789abcdef",
            "headers": {"Authorization": "Bearer abcdefghijkl"},
            "base_url": "https://user:hunter2pass@example.com/v1",
            "note": "use sk-FAKE0123456789abcdef here",
            "passwords": ["one", 2],
            "max_tokens": 4000,
            "model/name": "gpt-4o",
        }
    )
    assert value == {
        "api_key": "********",
        "headers": {"Authorization": "********"},
        "base_url": "https://user:********@example.com/v1",
        "note": "use ******** here",
        "passwords": ["********", "********"],
        "max_tokens": 4000,
        "model/name": "gpt-4o",
    }
    assert secrets == {
        "/api_key": "sk-FAKE0123456789abcdef",
        "/headers/Authorization": "Bearer abcdefghijkl",
        "/base_url": "https://user:hunter2pass@example.com/v1",
        "/note": "use sk-FAKE0123456789abcdef here",
        "/passwords/0": "one",
        "/passwords/1": "2",
    }


def test_placeholders_are_no_secrets_and_are_not_expanded():
    given = {"api_key": "${OPENAI_API_KEY}", "path": "${HOME:/root}", "auth": {"Authorization": "Bearer ${TOKEN}"}}
    assert split_secrets(given) == (given, {})


def test_a_value_that_is_a_secret_as_a_whole_has_the_empty_pointer():
    assert split_secrets("hunter2", "db_password") == ("********", {"": "hunter2"})


@pytest.mark.parametrize(
    ("name", "secret"),
    [("apiKey", True), ("client-secret", True), ("access_token", True), ("AUTHORIZATION", True),
     ("max_tokens", False), ("secrets_patterns", False), ("tokenizer", False), ("key", False)],
)  # fmt: skip
def test_names_of_secrets_are_known(name, secret):
    assert is_secret_name(name) is secret
