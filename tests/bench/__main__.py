"""Run the benchmarks: `python -m tests.bench [--quick] [--write] [--database URL] [--store FOLDER]`."""

import argparse
import base64
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small store, to see that the benchmarks run")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--database", default=os.environ.get("BENCH_DATABASE_URL", ""), help="an EMPTY database's URL")
    parser.add_argument("--store", help="an old history store to import; without it one is made")
    parser.add_argument("--only", choices=["pages", "imports"], help="one part only")
    return parser.parse_args()


def _surroundings(database: str, folder: str) -> None:
    os.environ.update(DJANGO_SETTINGS_MODULE="config.settings", DATA_DIR=folder, ENV_FILE="", LOG_LEVEL="ERROR")
    # Filling a store takes longer than any request may.
    os.environ.update(DATABASE_URL=database, QUERY_TIMEOUT="600", SECRET_KEY=secrets.token_hex(32))
    os.environ["FIELD_ENCRYPTION_KEYS"] = "bench:" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def main() -> int:
    """Run what was asked for and print it. Returns the exit code."""
    asked = _arguments()
    folder = tempfile.mkdtemp(prefix="agentledger-bench-")
    try:
        _surroundings(asked.database, folder)
        return _run(asked, Path(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(asked: argparse.Namespace, folder: Path) -> int:
    from tests.bench import imports, pages, report

    sessions, each, rounds = (500, 4, 20) if asked.quick else (100_000, 10, 200)
    sections = {}
    if asked.only != "imports":
        sections["Pages of a large store"] = pages.measure(sessions=sessions, messages_each=each, rounds=rounds)
    if asked.only != "pages":
        copies = 40 if asked.quick else 5000
        sections["Bringing in an old store"] = imports.measure(folder=folder, store=asked.store, sessions=copies)
    for title, lines in sections.items():
        print(f"\n{title}\n{report.table(lines)}")
    if asked.write:
        scale = f"{sessions:,} sessions, {sessions * each:,} messages"
        report.write(ROOT / "docs" / "benchmarks.md", sections, scale=scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
