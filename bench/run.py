"""Run every benchmark and write docs/benchmarks.md: `make bench`, or `python bench/run.py cold ports` for some.

`vllm` runs in .venv-vllm, and is left out of the rest where `make test-vllm` has not made that.

Each bench_*.py is a program of its own that prints a Markdown section; this one adds the machine and the date, and
keeps the sections of benchmarks that were not asked for.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
ORDER = ["cold", "tools", "readiness", "many", "ports", "cleanup", "cli", "models", "pytest", "warm", "kills", "vllm"]
PYTHONS = {"vllm": HERE.parent / ".venv-vllm" / "bin" / "python"}
"""The interpreters of those that need another one than ours."""


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return (
        f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, CPython {platform.python_version()}"
    )


def head() -> str:
    return f"""# Benchmarks

Written by `make bench`; `.venv/bin/python bench/run.py NAME…` repeats single sections.
What is compared runs side by side in one run, in pairs whose order alternates; ratios are medians over the pairs.
A bound that was missed is said to be missed.

Machine: {machine()}.
"""


def sections() -> dict[str, str]:
    """Return the sections that the page has, by name."""
    text = PAGE.read_text() if PAGE.exists() else ""
    parts = re.split(r"^<!-- (\w+) -->\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def main(asked: list[str]) -> int:
    kept, failed = sections(), []
    for name in asked or [name for name in ORDER if PYTHONS.get(name, HERE).exists()]:
        print(f"== {name}", flush=True)
        program = str(HERE / f"bench_{name}.py")
        done = subprocess.run(
            [PYTHONS.get(name, sys.executable), program], stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            failed.append(name)
            continue
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        kept[name] = f"{done.stdout.strip()}\n\nMeasured {today}.\n\n"
        print(done.stdout, flush=True)
    PAGE.write_text(head() + "\n" + "".join(f"<!-- {name} -->\n{kept[name]}" for name in ORDER if name in kept))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
