"""Keeps processes running: starts them, starts again what dies, and ends all of them, whatever they do."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from config.serving.parts import Part
from config.serving.ties import tie_to_parent

POLL_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# Who ran this long has recovered: its next end counts as the first again.
HEALTHY_SECONDS = 60.0
GRACE_SECONDS = 10.0


class _Process(Protocol):
    """What is asked of a process: its number, and to be collected."""

    pid: int

    def wait(self) -> int: ...


@dataclass
class Adopted:
    """A child that was started before this program took the place of the one that started it."""

    pid: int

    def wait(self) -> int:
        """Wait for the end, and return the exit status, or the negative number of the signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@dataclass
class _Running:
    """One part and the process that is it at the moment."""

    part: Part
    process: _Process | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = field(default=0)


class Supervisor:
    """Runs parts until it is told to stop.

    A part that runs already comes with its process in `adopted`, by the part's name. `say` takes the lines for people;
    `folder` is where the parts run; `grace` is how many seconds they get to end by themselves; `meanwhile` is called in
    every round (about ten times a second).
    """

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        say: Callable[[str], None],
        folder: Path,
        adopted: Mapping[str, Adopted] | None = None,
        grace: float = GRACE_SECONDS,
        meanwhile: Callable[[], None] = lambda: None,
    ):
        begun, known = time.monotonic(), adopted or {}
        self._all = [_Running(part, known.get(part.name), started_at=begun) for part in parts]
        self._say, self._folder, self._grace, self._meanwhile = say, folder, grace, meanwhile
        self._signals = 0
        self._tie = tie_to_parent()

    def run(self) -> None:
        """Run until SIGINT, SIGTERM or SIGHUP; on return no process of the parts is left."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A signal that was ignored from the start (nohup, a job in the background) stays ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            while not self._signals:
                for running in self._all:
                    self._keep(running)
                self._meanwhile()
                time.sleep(POLL_SECONDS)
        finally:
            self._stop()

    def _on_signal(self, number: int, frame: object) -> None:
        self._signals += 1

    def _keep(self, running: _Running) -> None:
        now = time.monotonic()
        if running.process is None:
            if now >= running.start_at:
                self._start(running, now)
        elif _has_ended(running.process):
            _end_group(running.process, signal.SIGKILL)
            self._plan_restart(running, running.process.wait(), now)

    def _start(self, running: _Running, now: float) -> None:
        # A session of its own: Ctrl-C in the terminal reaches the supervisor only, and the group can be killed whole.
        running.process = subprocess.Popen(
            running.part.command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **dict(running.part.environment)},
            pass_fds=running.part.descriptors,
            start_new_session=True,
            preexec_fn=self._tie,  # noqa: PLW1509 (this process has one thread only)
        )
        running.started_at = now

    def _plan_restart(self, running: _Running, status: int, now: float) -> None:
        running.process = None
        running.failures = 1 if now - running.started_at >= HEALTHY_SECONDS else running.failures + 1
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (running.failures - 1), LONGEST_PAUSE_SECONDS)
        running.start_at = now + pause
        self._say(f"The {running.part.name} ended ({_words(status)}); starting it again in {pause:g} s.")

    def _stop(self) -> None:
        """End all parts: politely first, by force after the grace or on a second signal."""
        alive = [running.process for running in self._all if running.process is not None]
        for process in alive:
            _end_group(process, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while any(not _has_ended(process) for process in alive):
            if time.monotonic() >= deadline or self._signals > 1:
                break
            time.sleep(POLL_SECONDS)
        for process in alive:
            # Also where the process itself has ended: what it started and left behind is in the same group.
            _end_group(process, signal.SIGKILL)
            process.wait()


def _has_ended(process: _Process) -> bool:
    """Say whether the process has ended, without collecting it: its number stays ours, so its group can be killed."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end_group(process: _Process, number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _words(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
