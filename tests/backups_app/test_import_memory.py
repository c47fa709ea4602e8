"""An import of values of many megabytes stays within its bound of memory, whatever the store is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples import agent_flow
from tests.samples.blueplan import said
from tests.scratch import scratch

ROOT = Path(__file__).resolve().parents[2]
BOUND_MB = 256
# A process is told to have been as large as the one that began it: a small one stands between.
WATCH = """import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
# Ten bytes in three characters, of which one makes Python keep the whole text with four bytes a character.
PIECE = "数据😀"


def text_of(megabytes):
    """A text of so many megabytes in UTF-8."""
    return PIECE * (megabytes * 1024 * 1024 // 10)


def _tasks(root):
    huge, large = text_of(30), text_of(7)
    rows = {
        "task_history": [
            agent_flow.task(1),
            agent_flow.task(2, user_input=huge),
            *(agent_flow.task(number, user_input=large) for number in range(3, 7)),
        ],
        "subtasks": [agent_flow.step(number, 1, number, actual_output=text_of(1)) for number in range(30)],
        "tool_logs": [
            agent_flow.log(1, 1, tool_result=json.dumps(huge)),
            *(agent_flow.log(number, 1, tool_result=json.dumps(large, ensure_ascii=False)) for number in range(2, 6)),
        ],
    }
    agent_flow.write_database(root / "agent_flow.db", rows)
    return {"task": (5 + 7, 1), "subtask": (30, 0), "tool_call": (4, 1)}


def _keys(root):
    huge, large = ([said(1, "before"), said(2, text_of(size)), said(3, "after")] for size in (30, 7))
    session = {"session_id": "s1", "user_id": "u", "created_at": "2026-10-01T08:00:00", "data": {}}
    for key, value in (("session/s1", session), ("conversation/s1", huge)):
        path = root / "data" / f"{key}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    line = {"key": "conversation:s2", "type": "string", "ttl": -1, "value": json.dumps(large, ensure_ascii=False)}
    (root / "redis_dump.ndjson").write_text(json.dumps(line, ensure_ascii=False), encoding="utf-8")
    return {"session": (2, 0), "message": (2 + 3, 1)}


STORES = {"agent_flow": _tasks, "blueplan": _keys}


def import_within(path, env):
    """Import a store by the command in a process of its own; return its report, and its peak of memory in MB."""
    command = [sys.executable, "-W", "ignore", "manage.py", "import_legacy", str(path), "--json"]
    watched = [sys.executable, "-c", WATCH, *command]
    done = subprocess.run(watched, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return json.loads(done.stdout), int(done.stderr.split()[-1]) / 1024


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STORES)
def test_values_of_many_megabytes_are_taken_or_told_within_the_bound(tmp_path, name, given_server, migrated):
    (tmp_path / "store").mkdir()
    wanted = STORES[name](tmp_path / "store")
    with scratch(given_server) as url:
        env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "CRITICAL"}
        migrated(tmp_path / "data", url)
        report, peak = import_within(tmp_path / "store", env)
    told = {kind: (report["kinds"][kind]["new"], report["kinds"][kind]["rejected"]) for kind in wanted}
    assert (report["status"], told) == ("completed", wanted)
    assert peak < BOUND_MB
