"""What is left 1.5 s after SIGKILL of `envspec up`, of pytest, of the agent, of the guardian.

The environment has services that setsid, double-fork and ignore SIGTERM, so the second that the agent grants them is
part of every figure where it is the agent that ends them. Every trial notes all processes below the guardian and looks
for the session's tag in the environment of every process of the machine, so that one that forks while it is being
killed is seen, too. Then each leased port is bound without reuse flags.

usage: bench_cleanup.py [TRIALS]
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from measure import table, verdict

from envspec.agent.family import SESSION_TAG, tags
from envspec.agent.tree import descendants

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.hydra import HYDRA

BIN = Path(sys.executable).parent
TRIALS = 50
BOUND = 1.5
PATIENCE = 60.0
LEAST = 2 + 2 * 4
"""Processes below which a trial would prove nothing: guardian, agent, two hydras of a leader and three daemons."""

ENVIRONMENT = """
version: 1
services:
  hydra:
    command: [{python}, hydra.py, "{{{{ ports.main }}}}"]
    cwd: .
    replicas: 2
    ports: {{main: auto}}
    health: [{{log: {{match: up}}}}]
    stop: {{timeout: 1s}}
"""
TEST = "import time\ndef test_waits(environment):\n    time.sleep(600)\n"


@dataclass
class Outcome:
    """The trials of one victim: seconds until nothing was left, trials with something left at BOUND, ports lost."""

    seconds: list[float] = field(default_factory=list)
    late: int = 0
    ports_lost: int = 0
    processes: int = 0


def write_project(folder: Path) -> None:
    (folder / "hydra.py").write_text(HYDRA)
    (folder / "hydras.yaml").write_text(ENVIRONMENT.format(python=sys.executable))
    (folder / "test_hydras.py").write_text(TEST)


def alive(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if text[text.rindex(")") + 2] not in "ZX":
            found.append(pid)
    return found


def tagged(session: str) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if tags(pid).get(SESSION_TAG) == session]


def wait_healthy(state: Path) -> tuple[Path, list[str]]:
    """Return the session's directory and its events, once the environment is healthy."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for events in state.glob("sessions/*/events.jsonl"):
            lines = events.read_text().splitlines()
            if any('"session-healthy"' in line for line in lines):
                return events.parent, lines
        time.sleep(0.01)
    raise SystemExit("the environment did not become healthy")


def trial(folder: Path, victim: str, outcome: Outcome) -> None:
    with tempfile.TemporaryDirectory() as state:
        environ = {**os.environ, "ENVSPEC_STATE_DIR": state}
        file = str(folder / "hydras.yaml")
        pytest = [str(BIN / "pytest"), "-q", "-p", "no:cacheprovider", f"--env={file}", "test_hydras.py"]
        argv = pytest if victim == "pytest" else [str(BIN / "envspec"), "up", file]
        with subprocess.Popen(
            argv, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as owner:
            directory, events = wait_healthy(Path(state))
            record = json.loads((directory / "processes.json").read_text())
            pair = {half: int(record[half]["pid"]) for half in ("guardian", "agent")}
            everybody = [pair["guardian"], *descendants(pair["guardian"])]
            if len(everybody) < LEAST:
                raise SystemExit(f"only {len(everybody)} processes run")
            os.kill(pair.get(victim, owner.pid), signal.SIGKILL)
            measure(everybody, record["session"], outcome)
            owner.kill()
        outcome.ports_lost += sum(not is_free(port) for port in leased(events))


def measure(everybody: list[int], session: str, outcome: Outcome) -> None:
    begin = time.monotonic()
    while (left := alive(everybody)) and time.monotonic() - begin < PATIENCE:
        time.sleep(0.005)
    outcome.seconds.append(time.monotonic() - begin)
    outcome.processes += len(everybody)
    outcome.late += outcome.seconds[-1] > BOUND or bool(left or alive(tagged(session)))


def leased(events: list[str]) -> list[int]:
    found = next(event for event in map(json.loads, events) if event["event"] == "ports-leased")
    return [number for ports in found["ports"].values() for block in ports.values() for number in block]


def is_free(port: int) -> bool:
    with socket.socket() as claim:
        try:
            claim.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else TRIALS
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        for victim in ("envspec up", "pytest", "agent", "guardian"):
            outcome = Outcome()
            for _ in range(trials):
                trial(Path(folder), victim, outcome)
            median, longest = statistics.median(outcome.seconds), max(outcome.seconds)
            times = f"{median:.2f} ({min(outcome.seconds):.2f}-{longest:.2f})"
            clean = f"{trials - outcome.late} of {trials}"
            each = outcome.processes // trials
            rows.append([victim, each, clean, times, outcome.ports_lost, verdict(outcome.late + outcome.ports_lost, 0)])
    print("## Nothing is left\n")
    print(
        f"SIGKILL of one process in front of services that setsid, double-fork and ignore SIGTERM; {trials} trials.\n"
    )
    head = ["killed", "processes", f"nothing left after {BOUND} s", "seconds, median (min-max)", "ports not free", ""]
    print(table(head, rows))


if __name__ == "__main__":
    main()
