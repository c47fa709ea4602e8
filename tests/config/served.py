"""A whole AgentLedger started as people start it, for tests that look at it from outside."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Far more than anything here takes: it only ends a test that would wait for ever.
PATIENCE_SECONDS = 240


def until(condition: Callable[[], object], patience: float = PATIENCE_SECONDS) -> object:
    """Wait for the condition and return its value; fails when it does not come true."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError("it did not happen")


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """Return the environment of the embedded default with its data in `data_dir`, and nothing from this machine."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "ENV_FILE": "", "DATA_DIR": str(data_dir), **more}


def manage(data_dir: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess:
    """Run a command of manage.py to its end."""
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(data_dir, **more), capture_output=True, text=True, check=False
    )


def processes_with(mark: str) -> dict[int, str]:
    """Return number and command line of every living process that carries the mark in its environment."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                # It ended between the listing and the look, or it is somebody else's.
                continue
    return found


def parent_of(pid: int) -> int | None:
    """Return the number of the process that started this one; nothing when it has ended."""
    try:
        # The second field is the program's name in brackets, which may hold blanks and brackets itself.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


class Served:
    """A running `manage.py serve` on a free port, with the lines that it prints."""

    def __init__(self, data_dir: Path, *options: str, **more: str):
        self.mark = f"AGENTLEDGER_TEST={uuid.uuid4()}"
        env = environment(data_dir, AGENTLEDGER_TEST=self.mark.partition("=")[2], **more)
        command = [sys.executable, "-W", "ignore", "manage.py", "serve", "--bind", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    def ready(self) -> str:
        """Wait until it says that it is ready, and return its address."""
        return until(lambda: re.search(r"ready: +(http://\S+/)admin/", self.output)).group(1)

    def processes(self) -> dict[int, str]:
        """Return its living processes."""
        return processes_with(self.mark)

    def part(self, words: str) -> int:
        """Wait for the process whose command line holds the words, and return its number: the parent, not a fork of it.

        Numbers do not tell which is the parent: they begin anew once the greatest has been given out.
        """

        def parent() -> int | None:
            found = {pid for pid, line in self.processes().items() if words in line}
            return next((pid for pid in found if parent_of(pid) not in {*found, None}), None)

        return until(parent)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it as Ctrl-C or a service manager would, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def kill_all(self) -> None:
        """Leave nothing behind, whatever the test has done."""
        for pid in [self.process.pid, *self.processes()]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
