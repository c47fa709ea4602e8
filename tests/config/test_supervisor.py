"""The supervisor with small parts: what is stubborn is ended, what dies is started again, later each time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.config.served import PATIENCE_SECONDS, ROOT, processes_with, until

SCRIPT = """
import sys
from pathlib import Path
from config.serving.parts import Part
from config.serving.supervisor import Supervisor
part = Part("part", (sys.executable, "-c", sys.argv[1]), environment=(("OF_THE_PART", "given"),))
Supervisor([part], say=lambda line: print(line, flush=True), folder=Path.cwd(), grace=float(sys.argv[2])).run()
"""


@pytest.fixture
def supervise(tmp_path):
    """Start a supervisor of one part that runs the given Python code; the code may use `folder`."""
    started = []
    mark = f"AGENTLEDGER_TEST={tmp_path}"

    def start(code: str, grace: float = PATIENCE_SECONDS) -> subprocess.Popen:
        code = f"import os, pathlib, signal, subprocess, sys, time\nfolder = pathlib.Path({str(tmp_path)!r})\n{code}"
        command = [sys.executable, "-c", SCRIPT, code, str(grace)]
        env = {**os.environ, "AGENTLEDGER_TEST": str(tmp_path)}
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
        process.living = lambda: processes_with(mark)
        started.append(process)
        return process

    yield start
    for process in started:
        for pid in process.living():
            os.kill(pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _appears(path: Path) -> str:
    until(path.exists)
    return until(lambda: path.read_text(encoding="utf-8"))


def test_a_part_that_ignores_the_signal_is_killed_after_the_grace(supervise, tmp_path):
    process = supervise(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); (folder / 'up').write_text('up')\nwhile True: time.sleep(60)",
        grace=0.2,
    )
    _appears(tmp_path / "up")
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    assert process.living() == {}


def test_a_second_ctrl_c_does_not_wait_for_the_grace(supervise, tmp_path):
    process = supervise(
        "signal.signal(signal.SIGTERM, lambda *_: (folder / 'asked').write_text('yes'))\n"
        "(folder / 'up').write_text('up')\nwhile True: time.sleep(60)"
    )
    _appears(tmp_path / "up")
    process.send_signal(signal.SIGINT)
    _appears(tmp_path / "asked")
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert process.living() == {}


def test_what_a_part_started_and_left_behind_is_ended_too(supervise, tmp_path):
    process = supervise(
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time;"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN);time.sleep(1000)'])\n"
        "(folder / 'up').write_text(str(child.pid)); time.sleep(1000)"
    )
    _appears(tmp_path / "up")
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    until(lambda: process.living() == {})


def test_a_part_that_dies_is_started_again_after_longer_and_longer_pauses(supervise):
    process = supervise("sys.exit(3)")
    lines = [process.stdout.readline() for _ in range(3)]
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
    pauses = ["0.5", "1", "2"]
    assert lines == [f"The part ended (exit status 3); starting it again in {pause} s.\n" for pause in pauses]


def test_a_part_gets_its_environment_and_no_terminal(supervise, tmp_path):
    supervise("(folder / 'seen').write_text(os.environ['OF_THE_PART'] + repr(sys.stdin.read())); time.sleep(1000)")
    assert _appears(tmp_path / "seen") == "given''"


def test_parts_end_when_the_supervisor_is_killed(supervise, tmp_path):
    process = supervise("(folder / 'up').write_text('up'); time.sleep(1000)")
    _appears(tmp_path / "up")
    process.kill()
    until(lambda: process.living() == {})


def test_a_hang_up_that_was_ignored_from_the_start_stays_ignored(supervise, tmp_path):
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = supervise("(folder / 'up').write_text('up'); time.sleep(1000)")
    finally:
        signal.signal(signal.SIGHUP, former)
    _appears(tmp_path / "up")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    assert process.wait(PATIENCE_SECONDS) == 0
