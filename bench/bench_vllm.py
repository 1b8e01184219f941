"""environments/vllm/cpu-single.yaml from exec to healthy: `envspec up` and the script that one would write by hand.

Both start the same command with the same variables, real vLLM on the CPU with a tiny model of random weights, and end
with the same completion and the same streamed chat. The script (bench/hand_written_vllm.py) asks every 2 ms, does
nothing else, and knows its port already. The model is on disk for both, and one start of each before the first pair
fills the page cache. Nearly all of the time is vLLM's own, three processes that import it one after another.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tiny_model
from bench_tools import BIN, free_ports, until_line
from measure import paired, ratio, table, verdict

ROOT = Path(__file__).parent.parent
ENVIRONMENT = "vllm/cpu-single"
PAIRS = 3
BOUND = 1.05


def ours() -> float:
    """`envspec up`, until it says that all is healthy."""
    with tempfile.TemporaryDirectory() as state:
        begin = time.perf_counter()
        tool = subprocess.Popen(
            [str(BIN / "envspec"), "up", ENVIRONMENT],
            cwd=ROOT,
            env={**os.environ, "ENVSPEC_STATE_DIR": state},
            stdout=subprocess.PIPE,
            text=True,
        )
        until_line(tool, "is healthy")
        taken = time.perf_counter() - begin
        tool.send_signal(signal.SIGINT)
        tool.communicate(timeout=60)
    return taken


def by_hand(model: Path) -> float:
    """The hand-written script, until it says that the chat was answered."""
    with tempfile.TemporaryDirectory() as work:
        script = [sys.executable, str(ROOT / "bench" / "hand_written_vllm.py"), str(model), work]
        begin = time.perf_counter()
        run = subprocess.Popen(
            [*script, *map(str, free_ports(1))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        until_line(run, "healthy")
        taken = time.perf_counter() - begin
        run.communicate(timeout=60)
    return taken


def seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


def main() -> None:
    _, model = tiny_model.make_in_new_cache()
    paired(1, ours, lambda: by_hand(model))
    a, b = paired(PAIRS, ours, lambda: by_hand(model))
    quotient = ratio(a, b)
    rows = [
        ["exec to healthy, envspec, s", seconds(a), "", ""],
        ["exec to healthy, by hand, s", seconds(b), "", ""],
        ["envspec ÷ by hand, median of pairs", f"{quotient:.3f}", f"≤ {BOUND}", verdict(quotient, BOUND)],
    ]
    print("## Real vLLM\n")
    print(f"{(__doc__ or '').strip()}\n\n{PAIRS} pairs; median (min-max).\n")
    print(table(["what", "", "bound", ""], rows))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    main()
