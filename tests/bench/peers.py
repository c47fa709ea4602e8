"""The same work done by peers: the contenders of a folder beside the project, where they and their packages are there.

BENCH_PEERS names the folder (with `bench.py` and `registry.py`), BENCH_HOME the one of their environments.
"""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

from django.db import connection

from tests.bench.report import Line
from tests.bench.sections import Work

ROOT = Path(__file__).resolve().parents[2]
WORKS = {"w1": "one durable append at a time", "w2": "batches", "w3": "16 concurrent writers"}
LIMIT = "raw"


def measure(work: Work) -> list[Line]:
    """Run the contenders whose environments are installed; each line is a peer beside the raw limit of the same run."""
    folder = Path(os.environ.get("BENCH_PEERS") or ROOT.parent / "shared" / "bench")
    home = Path(os.environ.get("BENCH_HOME") or Path.home() / ".agentledger-bench")
    if not (folder / "registry.py").exists():
        return _left_out(f"there is no folder of contenders ({folder.name}; BENCH_PEERS names another)")
    known = runpy.run_path(str(folder / "registry.py"))["REG"]
    there = [name for name, (_module, _class, venv) in known.items() if (home / venv / "bin" / "python").exists()]
    if connection.vendor != "postgresql":
        return []
    if LIMIT not in there or work.quick:
        return _left_out("their environments are not installed" if LIMIT not in there else "this is a quick run")
    return [line for key, title in WORKS.items() for line in _run(folder, home, key, title, there)]


def _left_out(why: str) -> list[Line]:
    sys.stdout.write(f"Peers are left out: {why}.\n")
    return []


def _run(folder: Path, home: Path, key: str, title: str, names: list[str]) -> list[Line]:
    command = [sys.executable, "bench.py", key, "--runs", "3", "--only", ",".join(names)]
    subprocess.run(command, cwd=folder, env={**os.environ, "BENCH_HOME": str(home)}, check=True, capture_output=True)
    runs = json.loads((home / "results" / f"{key}.json").read_text(encoding="utf-8"))[-1]["runs"]
    rates = {name: sorted(run["rate"] for run in some if "rate" in run) for name, some in runs.items()}
    middle = {name: found[len(found) // 2] for name, found in rates.items() if found}
    return [
        Line(f"{title}: {name}", rate, middle[LIMIT], "messages/s", "", "a peer; limit: psycopg")
        for name, rate in middle.items()
        if name != LIMIT
    ]
