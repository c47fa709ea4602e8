"""The pages speak English and Chinese; no text is left out of the Chinese catalogue."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils.translation import gettext, override

from config.shared.admin.borrowed_words import AXES, UNFOLD

ROOT = Path(__file__).resolve().parent.parent.parent
CATALOGUE = ROOT / "config" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
IN_CONTEXT = re.compile(r'^msgctxt ".*"\nmsgid "(.*)"$', re.MULTILINE)
ENTRY = re.compile(r'^msgid ((?:".*"\n)+)(?:msgid_plural (?:".*"\n)+)?msgstr(?:\[0\])? ((?:".*"\n)+)', re.MULTILINE)


def words(quoted: str) -> str:
    """Return the text of a message of a catalogue, which may go over several quoted lines."""
    return "".join(line[1:-1] for line in quoted.splitlines())


def catalogue(path: Path) -> dict[str, str]:
    """Return the messages of a catalogue with their translations."""
    text = path.read_text(encoding="utf-8") + "\n"
    return {words(match[1]): words(match[2]) for match in ENTRY.finditer(text)}


def test_every_message_of_the_catalogue_is_translated():
    text = CATALOGUE.read_text(encoding="utf-8")
    assert [message for message, chinese in catalogue(CATALOGUE).items() if not chinese] == []
    assert "#, fuzzy" not in text


def test_every_text_of_the_code_is_in_the_catalogue(tmp_path):
    if shutil.which("xgettext") is None:
        pytest.skip("no gettext on this machine")
    # Found anew, beside the catalogue that is kept, from what the product's own folders say.
    folder = tmp_path / "config" / "locale" / "zh_Hans" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    for name in ("config", "sessions_app", "history_app", "analytics_app", "backups_app", "templates"):
        ignored = shutil.ignore_patterns("locale", "__pycache__", "static")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored, dirs_exist_ok=True)
    command = "from django.core.management import execute_from_command_line as run; import sys; run(sys.argv)"
    subprocess.run(
        [sys.executable, "-c", command, "makemessages", "-l", "zh_Hans", "--no-location"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    found = catalogue(folder / "django.po").keys()
    assert sorted(found - catalogue(CATALOGUE).keys()) == []


def test_the_compiled_catalogue_is_the_written_one():
    in_context = set(IN_CONTEXT.findall(CATALOGUE.read_text(encoding="utf-8")))
    with override("zh-hans"):
        differing = [
            message
            for message, chinese in catalogue(CATALOGUE).items()
            if message
            and message not in in_context
            and "\\" not in message
            and "%(" not in message
            and gettext(message) != chinese
        ]
    assert differing == []


@pytest.mark.parametrize("word", [word for word in UNFOLD + AXES if word not in ("Path",)])
def test_words_of_others_are_translated_too(word):
    with override("zh-hans"):
        assert gettext(word) != word


@pytest.mark.django_db
def test_the_pages_speak_the_language_that_was_chosen(staff_admin):
    assert "Newest sessions" in staff_admin.get("/admin/").content.decode()
    staff_admin.post("/i18n/setlang/", {"language": "zh-hans", "next": "/admin/"})
    text = staff_admin.get("/admin/").content.decode()
    assert "最新会话" in text
    assert "Newest sessions" not in text
