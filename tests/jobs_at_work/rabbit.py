"""A private RabbitMQ node that a test may kill, or let run out of memory: own port, own folder, own name."""

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from pathlib import Path

import amqp

from tests.config.served import until
from tests.jobs_at_work.house import reachable
from tests.private_servers import free_port

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
# So little is allowed that every publisher is blocked from the first moment on.
ALARM = "vm_memory_high_watermark.relative = 0.0001"


def is_installed() -> bool:
    """Return whether there is a RabbitMQ to start."""
    return PROGRAM.exists() and shutil.which("erl") is not None


class Rabbit:
    """One node with its data in `folder`, which outlives its processes as a disk does."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.name = f"agentledger-{uuid.uuid4().hex[:12]}@localhost"
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.process: subprocess.Popen | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, *, alarm: bool = False) -> "Rabbit":
        """Start the node; with `alarm` it takes connections, but nothing from publishers."""
        lines = [f"listeners.tcp.local = 127.0.0.1:{self.port}", "log.console = false", *([ALARM] if alarm else [])]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "plugins").write_text("[].\n", encoding="utf-8")
        self.process = subprocess.Popen(
            [str(PROGRAM)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(lambda: reachable(self.port))
        return self

    def _environment(self) -> dict[str, str]:
        named = {
            "NODENAME": self.name,
            "DIST_PORT": str(free_port()),
            "CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "MNESIA_BASE": str(self.folder / "data"),
            "LOG_BASE": str(self.folder / "log"),
            "ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "CONF_ENV_FILE": str(self.folder / "no-more-settings"),
        }
        # The cookie of Erlang stands in the home folder.
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            **{f"RABBITMQ_{name}": value for name, value in named.items()},
        }

    def blocks(self) -> bool:
        """Return whether the node tells a publisher to wait."""
        told: list[object] = []
        asked = amqp.Connection(f"127.0.0.1:{self.port}", on_blocked=told.append)
        asked.connect()
        asked.channel().basic_publish(amqp.Message("?"), routing_key="nobody")
        with contextlib.suppress(TimeoutError):
            asked.drain_events(timeout=30)
        # Without a farewell, which a node that reads no more would never answer.
        asked.collect()
        return bool(told)

    def kill(self) -> None:
        """Kill the node and all that it started, at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            until(lambda: not reachable(self.port))
