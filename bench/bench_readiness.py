"""How soon the real agent sees that a service is ready, or dead.

A server waits a random time, opens its port, and notes the monotonic clock right after `listen`; the same clock is
read here when the agent's notice arrives. So the figures hold everything in between: seeing the LISTEN, asking the
validator in the prober, and the way of the notice over the stream.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import table, verdict

sys.path.insert(0, str(Path(__file__).parent.parent))

from envspec.plan.codec import to_json
from envspec.plan.plan import PortRequest
from tests.agent.agent_client import AgentClient, agent_in, port_check, with_port

TRIALS = 200
DELAYS = (0.05, 0.25)
"""Seconds that a server takes before it listens, so that trials do not fall in step with the agent's looks."""

SERVER = """
import os, socket, sys, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
time.sleep(float(sys.argv[2]))
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
os.write(1, b"at %.9f\\n" % time.monotonic())
while True:
    client, _ = server.accept()
    client.recv(65536)
    client.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    client.close()
"""
VICTIM = """
import os, sys, time
time.sleep(float(sys.argv[2]))
os.write(1, b"at %.9f\\n" % time.monotonic())
os._exit(3)
"""


@dataclass(frozen=True)
class Trial:
    """A kind of start: the program, the validator that it has, and the notice that is awaited."""

    name: str
    code: str
    validator: str
    notice: str


TCP = Trial("`tcp`: listen → healthy", SERVER, "tcp", "healthy")
HTTP = Trial("`http`: listen → healthy", SERVER, "http", "healthy")
DEATH = Trial("exit during the start → reported", VICTIM, "http", "exited")


def run(agent: AgentClient, trial: Trial, start: int) -> float:
    """Start the service once, and return the seconds from what it noted to the notice."""
    agent.notices.clear()  # whoever waits looks through all of them: after 500 trials that took a millisecond
    name = f"web_{start}"
    asked = PortRequest(name, "main", ranges=((20000, 24999),))
    (port,) = agent.call("lease", requests=[to_json(asked)])["ports"][name]["main"]
    health: tuple[Any, ...] = (port_check(trial.validator, port),)
    agent.python(name, trial.code, str(port), str(random.uniform(*DELAYS)), health=health, **with_port(port))
    agent.wait_notice(trial.notice, replica=name)
    seen = time.monotonic()
    noted = float(agent.wait_log(name, "\n").split()[1])
    agent.stop(name)
    return seen - noted


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, agent_in(Path(folder) / "session") as agent:
        taken: dict[str, list[float]] = {trial.name: [] for trial in (TCP, HTTP, DEATH)}
        for number in range(TRIALS):
            for turn, trial in enumerate((TCP, HTTP, DEATH)):
                taken[trial.name].append(run(agent, trial, 3 * number + turn))
    print("## Readiness and death, as the session hears of them\n")
    print(f"{TRIALS} trials each, interleaved, through a real agent; milliseconds.\n")
    print(table(["what", "p50", "p95", "max", "bound", ""], [row(name, values) for name, values in taken.items()]))


def row(name: str, values: list[float]) -> list[object]:
    cuts = statistics.quantiles(values, n=20)
    shown = [f"{value * 1000:.1f}" for value in (statistics.median(values), cuts[-1], max(values))]
    if name == DEATH.name:
        return [name, *shown, "max ≤ 50", verdict(max(values), 0.050)]
    worst = max(statistics.median(values) / 0.003, cuts[-1] / 0.010)
    return [name, *shown, "p50 ≤ 3, p95 ≤ 10", verdict(worst, 1.0)]


if __name__ == "__main__":
    main()
