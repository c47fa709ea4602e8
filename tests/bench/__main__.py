"""Run the benchmarks: each section on each database, printed as tables and, when asked, written down.

Without --database that is SQLite as it comes, and PostgreSQL where a server answers on BENCH_DATABASE_URL.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import databases, report
from tests.bench.sections import SECTIONS, Work, measured
from tests.scratch import scratch

ROOT = Path(__file__).resolve().parents[2]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small store, to see that the benchmarks run")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--database", help="sqlite, or the URL of a PostgreSQL server; a database is made in it")
    parser.add_argument("--store", help="an old history store to import; without it one is made")
    parser.add_argument("--rows", type=int, help="how many uses of tokens the section `sums` stores")
    parser.add_argument("--only", action="append", choices=sorted(SECTIONS), help="a section alone; may be repeated")
    parser.add_argument("--lines-to", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run what was asked for and print it. Returns the exit code."""
    asked = _arguments()
    if asked.lines_to:
        return _measure_here(asked)
    found: dict[str, list[report.Line]] = {}
    for database in [asked.database] if asked.database else databases.answering():
        for title, lines in _measure_on(database, asked).items():
            found[title] = lines
            print(f"\n{title}\n{report.table(lines)}", flush=True)
    if asked.write:
        report.write(ROOT / "docs" / "benchmarks.md", found)
    return 0


def _measure_on(database: str, asked: argparse.Namespace) -> dict[str, list[report.Line]]:
    """Measure in a process of its own: Django knows one database in its lifetime."""
    folder = Path(tempfile.mkdtemp(prefix="agentledger-bench-"))
    answer = folder / "lines.json"
    options = [f"--only={name}" for name in asked.only or ()] + ["--quick"] * asked.quick
    options += [f"--store={asked.store}"] if asked.store else []
    options += [f"--rows={asked.rows}"] if asked.rows else []
    try:
        with scratch(database) as url:
            env = databases.surroundings(url, folder / "data")
            command = [sys.executable, "-m", "tests.bench", f"--lines-to={answer}", *options]
            subprocess.run(command, env=env, check=True)
        lines = json.loads(answer.read_text(encoding="utf-8"))
        return {title: [report.Line(**line) for line in some] for title, some in lines.items()}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure_here(asked: argparse.Namespace) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    work = Work(folder=Path(os.environ["DATA_DIR"]), store=asked.store, quick=asked.quick, rows=asked.rows)
    asked.lines_to.write_text(json.dumps(measured(asked.only or SECTIONS, work)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
