"""The house tests itself: its rooms, the size of its files, and that nothing in it goes untried."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class

from config.shared.commands import LedgerCommand

ROOT = Path(__file__).resolve().parent.parent
APPS = ("sessions_app", "history_app", "analytics_app", "backups_app")
TOP = {
    ".ci",
    ".env.example",
    ".gitattributes",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "docs",
    "manage.py",
    "pyproject.toml",
    "requirements",
    "templates",
    "tests",
    "config",
    *APPS,
}
LONGEST_FILE = 400
LONGEST_TEST = 600
LONGEST_FUNCTION = 50


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def _python(folders: tuple[str, ...]) -> list[Path]:
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "migrations" not in path.parts)


SOURCES = _python(("config", *APPS))
TESTS = _python(("tests",))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_top_level_is_as_it_was_fixed():
    assert {path.relative_to(ROOT).parts[0] for path in _tracked()} <= TOP


def test_the_import_contracts_hold():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_says_what_it_holds_and_stays_short(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "it has no docstring"
    assert text.count("\n") <= LONGEST_FILE


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_a_test_file_stays_readable(path):
    assert path.read_text(encoding="utf-8").count("\n") <= LONGEST_TEST


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_functions_stay_short(path):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, functions)]
    long = [node.name for node in found if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION]
    assert not long


def test_no_room_for_leftovers():
    assert not [path for path in SOURCES if path.stem in {"utils", "helpers", "misc", "common"}]


@pytest.mark.parametrize("app", APPS)
def test_every_app_has_a_door_plate(app):
    plate = ROOT / app / "README.md"
    assert plate.exists()
    assert len(plate.read_text(encoding="utf-8").splitlines()) <= 80


def _commands() -> list[str]:
    folders = [ROOT / name / "management" / "commands" for name in ("config", *APPS)]
    return sorted(path.stem for folder in folders if folder.is_dir() for path in folder.glob("[a-z]*.py"))


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_called_in_a_test(command):
    calls = re.compile(rf"""call_command\(\s*["']{command}["']|manage\.py["'],\s*["']{command}["']|["']{command}["']""")
    assert any(calls.search(path.read_text(encoding="utf-8")) for path in TESTS if path.name != Path(__file__).name)


@pytest.mark.parametrize("command", _commands())
def test_every_command_tells_refusals_without_a_traceback(command):
    assert isinstance(load_command_class(get_commands()[command], command), LedgerCommand)


@pytest.mark.django_db
def test_the_models_and_the_migrations_agree():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_who_makes_a_database_on_the_given_server_is_taken_there():
    makers = {path: path.read_text(encoding="utf-8") for path in TESTS if path.name.startswith("test_")}
    makers = {path: text for path, text in makers.items() if re.search(r"\bscratch\(|environ.*\"DATABASE_URL", text)}
    assert makers
    assert [_name(path) for path, text in makers.items() if not re.search("given_server|django_db", text)] == []


@pytest.mark.parametrize("app", APPS)
def test_migrations_change_rows_of_the_database_that_is_being_migrated(app):
    sources = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / app / "migrations").glob("0*.py")}
    assert sources
    assert [name for name, source in sources.items() if re.search(r"\.objects\b(?!\.using\()", source)] == []


@pytest.mark.parametrize("app", APPS)
def test_every_constraint_and_index_carries_a_name_of_its_own(app):
    models = apps.get_app_config(app).get_models()
    names = [rule.name for model in models for rule in (*model._meta.constraints, *model._meta.indexes)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_no_file_carries_an_address_of_a_package_index_or_a_path_of_a_machine():
    forbidden = re.compile(r"https?://[^\s\"')]*/simple\b|--index-url|/root/|/home/[a-z]+/")
    readable = {".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".html", ".sh", "", ".example"}
    found = [
        _name(path)
        for path in _tracked()
        if path.suffix in readable
        and path != Path(__file__)
        and path.is_file()
        and forbidden.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found
