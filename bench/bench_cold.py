"""environments/local.yaml from exec to healthy: `envspec up` and the script that one would write by hand.

Both start the same six commands at the same points and end with the same streamed chat. The script
(bench/hand_written_local.py) asks every 2 ms, does nothing else, and knows its ports already. The model is on disk for
both. Cold: new processes in an empty directory. envspec keeps the plan of a file that it has started before
(docs/adr/0007-plans-are-recalled.md), so there are figures for such a file and for one that it has never seen.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tiny_model
from bench_tools import BIN, free_ports, until_line
from measure import ms, paired, ratio, table, verdict

ROOT = Path(__file__).parent.parent
PAIRS = 15  # of five, the median scattered between 1.04 and 1.15 on a host that others use as well


class Ours:
    """`envspec up local`; keeps when the first process was spawned. `forget` makes it a first start each time."""

    def __init__(self, cache: Path, *, forget: bool) -> None:
        self.first_spawn: list[float] = []
        self._plans = cache / "plans"
        self._forget = forget

    def __call__(self) -> float:
        if self._forget and self._plans.exists():
            self._plans.rename(self._plans.with_name("forgotten"))
        try:
            return self._once()
        finally:
            if self._forget and (forgotten := self._plans.with_name("forgotten")).exists():
                shutil.rmtree(self._plans, ignore_errors=True)
                forgotten.rename(self._plans)

    def _once(self) -> float:
        with tempfile.TemporaryDirectory() as state:
            environ = {**os.environ, "ENVSPEC_STATE_DIR": state}
            began, begin = time.time(), time.perf_counter()
            tool = subprocess.Popen(
                [str(BIN / "envspec"), "up", "local"], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
            )
            until_line(tool, "is healthy")
            taken = time.perf_counter() - begin
            (log,) = Path(state).glob("sessions/*/events.jsonl")
            events = [json.loads(line) for line in log.read_text().splitlines()]
            self.first_spawn.append(next(e["time"] for e in events if e["event"] == "replica-spawned") - began)
            tool.send_signal(signal.SIGINT)
            tool.communicate(timeout=30)
        return taken


class ByHand:
    """The hand-written script; keeps when its first process was spawned."""

    def __init__(self, model: Path) -> None:
        self.first_spawn: list[float] = []
        self._model = model

    def __call__(self) -> float:
        with tempfile.TemporaryDirectory() as work:
            script = [sys.executable, str(ROOT / "bench" / "hand_written_local.py"), str(self._model), work]
            begin = time.perf_counter()
            run = subprocess.Popen(
                [*script, *map(str, free_ports(8))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            until_line(run, "spawned")
            self.first_spawn.append(time.perf_counter() - begin)
            until_line(run, "healthy")
            taken = time.perf_counter() - begin
            run.communicate(timeout=30)
        return taken


def main() -> None:
    cache, model = tiny_model.make_in_new_cache()
    ours, unseen, by_hand = Ours(cache, forget=False), Ours(cache, forget=True), ByHand(model)
    paired(1, ours, by_hand)  # fills the page cache for both, and lets envspec see the file
    ours.first_spawn.clear()
    by_hand.first_spawn.clear()
    a, c, b = paired(PAIRS, ours, unseen, by_hand)
    quotient, first, spawn = ratio(a, b), ratio(c, b), statistics.median(ours.first_spawn)
    at_first = statistics.median(unseen.first_spawn)
    rows = [
        ["exec to healthy, envspec, ms", ms(a), "", ""],
        ["the same, a file it has never seen", ms(c), "", ""],
        ["exec to healthy, by hand, ms", ms(b), "", ""],
        ["envspec ÷ by hand, median of pairs", f"{quotient:.3f}", "≤ 1.10", verdict(quotient, 1.10)],
        ["the same, a file it has never seen", f"{first:.3f}", "≤ 1.10", verdict(first, 1.10)],
        ["exec to first spawn, envspec, ms", ms(ours.first_spawn), "≤ 250", verdict(spawn, 0.250)],
        ["the same, a file it has never seen", ms(unseen.first_spawn), "≤ 250", verdict(at_first, 0.250)],
        ["exec to first spawn, by hand, ms", ms(by_hand.first_spawn), "", ""],
    ]
    print("## The whole stack, cold\n")
    print(f"{(__doc__ or '').strip()}\n\n{PAIRS} pairs; median (min-max).\n")
    print(table(["what", "", "bound", ""], rows))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    main()
