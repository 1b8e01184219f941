"""Shared by the benchmarks: paired measurements, medians, and the Markdown they are printed in.

Every figure is measured side by side in one run: A, B, A, B, …; what is compared is the ratio within each pair.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence

Seconds = float


def paired(pairs: int, *runs: Callable[[], Seconds]) -> list[list[Seconds]]:
    """Run all `runs` in turn, `pairs` times over; the order is reversed every other time. One list for each run."""
    taken: list[list[Seconds]] = [[] for _ in runs]
    for turn in range(pairs):
        order = range(len(runs)) if turn % 2 == 0 else reversed(range(len(runs)))
        for index in order:
            taken[index].append(runs[index]())
    return taken


def ratio(ours: Sequence[Seconds], theirs: Sequence[Seconds]) -> float:
    """Return the median of the ratios within each pair."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def wall(argv: Sequence[str], **options: object) -> Seconds:
    """Return how long a command takes from exec to exit; it must succeed."""
    begin = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    return time.perf_counter() - begin


def ms(values: Sequence[Seconds]) -> str:
    """Write seconds as `median (min-max)` in milliseconds."""
    return f"{statistics.median(values) * 1000:.0f} ({min(values) * 1000:.0f}-{max(values) * 1000:.0f})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def verdict(value: float, bound: float) -> str:
    """Say whether a figure is within its bound."""
    return "reached" if value <= bound else "**missed**"
