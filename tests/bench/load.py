"""Load over HTTP: wrk where the machine has it, else a few processes of our own, which cost more of the machine."""

import http.client
import json
import multiprocessing
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECTIONS = 16
PROCESSES = 4
_SCRIPT = """
local bodies, heads, n = {}, {}, 0
function setup(thread) thread:set("first", (next_thread or 0)); next_thread = (next_thread or 0) + 1 end
function init(args)
  for line in io.lines(args[1]) do bodies[#bodies + 1] = line end
  path, stamp = args[2], args[3]
  wrk.headers["Content-Type"] = "application/json"
  if args[4] ~= nil then wrk.headers["Authorization"] = args[4] end
end
function request()
  n = n + 1
  local unique = stamp .. string.format("%01d%08d", first, n)
  local session = "bench-" .. (n * 7 + first * 500) % 1000
  local body = string.gsub(bodies[n % #bodies + 1], "NUMBER", unique)
  return wrk.format("POST", (string.gsub(path, "SESSION", session)), nil, (string.gsub(body, "SESSION", session)))
end
bad = 0
function response(status, headers, body)
  if status >= 300 then bad = bad + 1; if bad < 3 then io.stderr:write(status .. " " .. body .. "\\n") end end
end
"""


@dataclass(frozen=True)
class Target:
    """One contender's address. Path and bodies may hold SESSION and NUMBER, which are others at each request."""

    port: int
    path: str
    bodies: list[str]
    token: str | None = None


@dataclass(frozen=True)
class Rate:
    """Requests a second, and the 99th percentile of a request in milliseconds (None where nobody measured it)."""

    requests: float
    p99_ms: float | None = None


def load(target: Target, seconds: float, folder: Path) -> Rate:
    """Ask as fast as the server answers over 16 connections. Raises RuntimeError when an answer was no 2xx."""
    return _wrk(target, seconds, folder) if shutil.which("wrk") else _processes(target, seconds)


def _stamp() -> str:
    # With what follows it is a number below 2^63, and no other load of this run has the same.
    return f"{int(time.time()) % 1_000_000:06d}"


def _wrk(target: Target, seconds: float, folder: Path) -> Rate:
    script, bodies = folder / "load.lua", folder / f"bodies-{target.port}.txt"
    script.write_text(_SCRIPT)
    bodies.write_text("\n".join(target.bodies) + "\n")
    address = f"http://127.0.0.1:{target.port}"
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "60s", "--latency", "-s", str(script)]
    command += [address, "--"]
    command += [str(bodies), target.path, _stamp(), *([f"Bearer {target.token}"] if target.token else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = done.stdout
    if "Non-2xx" in told or "Socket errors" in told or done.stderr:
        raise RuntimeError(told + done.stderr)
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    p99 = float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]] if found else None
    return Rate(float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]), p99)


def _processes(target: Target, seconds: float) -> Rate:
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        counts = pool.starmap(_ask, [(target, seconds, f"{_stamp()}{number}") for number in range(PROCESSES)])
    taken = sorted(one for some in counts for one in some)
    return Rate(len(taken) / seconds, 1000 * taken[int(len(taken) * 0.99)])


def _ask(target: Target, seconds: float, stamp: str) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", target.port)
    headers = {
        "Content-Type": "application/json",
        **({"Authorization": f"Bearer {target.token}"} if target.token else {}),
    }
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while (start := time.perf_counter()) < until:
        number = len(taken)
        session = f"bench-{(number * 7 + int(stamp[-1]) * 250) % 1000}"
        body = target.bodies[number % len(target.bodies)].replace("NUMBER", f"{stamp}{number:08d}")
        path, body = target.path.replace("SESSION", session), body.replace("SESSION", session)
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{answer.status} {told[:500]!r}")
        taken.append(time.perf_counter() - start)
    return taken


def body(fields: Any) -> str:
    """Return the JSON of a request; the text NUMBER in it becomes another one at each request."""
    return json.dumps(fields, separators=(",", ":"))
