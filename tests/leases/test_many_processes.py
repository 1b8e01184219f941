"""A small run of the benchmark: processes that claim at the same time never get the same number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench" / "bench_ports.py"
LOAD = ["--processes", "4", "--cycles", "150", "--held", "60", "--ports", "320"]


def test_no_collision_and_no_lost_claim_among_processes_and_noise() -> None:
    done = subprocess.run([sys.executable, str(BENCH), *LOAD], check=True, capture_output=True, text=True, timeout=60)
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    columns = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["leases"] for row in columns] == ["600", "600"]
    assert [(row["collisions"], row["lost"]) for row in columns] == [("0", "0"), ("0", "0")]
    assert all(int(row["given by the kernel"].replace(",", "")) > 100 for row in columns)
