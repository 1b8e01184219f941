"""How long the command line and an unused pytest plugin take."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from measure import ms, paired, table, verdict, wall

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PAIRS = 21


def main() -> None:
    envspec = str(BIN / "envspec")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        collect = [str(BIN / "pytest"), "--collect-only", "-q", "-p", "no:cacheprovider", folder]
        shown, checked, bare, plugged, without = paired(
            PAIRS,
            lambda: wall([envspec, "--help"]),
            lambda: wall([envspec, "check", "environments/"], cwd=ROOT),
            lambda: wall([sys.executable, "-c", "pass"]),
            lambda: wall(collect, cwd=folder),
            lambda: wall([*collect, "-p", "no:envspec"], cwd=folder),
        )
    more = [a - b for a, b in zip(plugged, without, strict=True)]
    rows = [
        ["`envspec --help`", ms(shown), "≤ 120", verdict(statistics.median(shown), 0.120)],
        ["`envspec check environments/`, cold", ms(checked), "≤ 350", verdict(statistics.median(checked), 0.350)],
        ["`pytest --collect-only`, envspec installed and unused", ms(plugged), "", ""],
        ["the same with `-p no:envspec`", ms(without), "", ""],
        ["the difference within a pair", ms(more), "≤ 15", verdict(statistics.median(more), 0.015)],
        ["for comparison: `python -c pass`", ms(bare), "", ""],
    ]
    print("## Command line and an unused plugin\n")
    print(f"{PAIRS} runs each, interleaved; milliseconds, median (min-max).\n")
    print(table(["what", "ms", "bound", ""], rows))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
