"""A second run that uses what the first one left: `pytest --env-warm` on environments/local.yaml.

Attach: from asking for the environment until it is there: its file compared, its programs, packages and variables
looked at, the health of all five processes asked again. In a process that has imported what this needs, as a pytest run
has after collection. Run: 40 tests of 0.25 s, each of which asks the frontend for its models first, as new pytest
processes: with `--env=local --env-warm` on a session that is warm, and on the same services with their URL in a
variable, as people have it who start them by hand in another terminal. Their start and their stop are not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_tools import BIN
from measure import ms, paired, ratio, table, verdict, wall

FILE = Path(__file__).parent.parent / "environments" / "local.yaml"
ATTACHES = 15
PAIRS = 5
TESTS = """
import os, time, urllib.request
import pytest

if "FRONTEND_URL" in os.environ:
    @pytest.fixture(scope="session")
    def url():
        return os.environ["FRONTEND_URL"]
else:
    @pytest.fixture(scope="session")
    def url(environment):
        return environment["frontend"].url("http")

@pytest.mark.parametrize("number", range(40))
def test_it(url, number):
    assert urllib.request.urlopen(url + "/v1/models").status == 200
    time.sleep(0.25)
"""


def attach() -> None:
    """Be the process that attaches, several times over; prints the seconds of each as JSON."""
    from envspec.session.control import Control
    from envspec.session.lending import borrow
    from envspec.session.live import Environment
    from envspec.session.request import Request

    request = Request(FILE, environ=dict(os.environ))
    taken = []
    for _ in range(ATTACHES):
        begin = time.perf_counter()
        loan = borrow(request, "the benchmark", print)
        assert loan is not None
        assert Environment(loan.control)["frontend"].url("http")
        taken.append(time.perf_counter() - begin)
        loan.close()
        while Control(loan.control.directory).status().lent_to:
            time.sleep(0.001)
    print(json.dumps(taken))


def run(folder: Path, *options: str, **variables: str) -> float:
    argv = [str(BIN / "pytest"), "-q", "-p", "no:cacheprovider", "test_it.py", *options]
    return wall(argv, cwd=folder, env={**os.environ, **variables})


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["ENVSPEC_STATE_DIR"] = str(folder / "state")
        (folder / "test_it.py").write_text(TESTS)
        up = subprocess.run(
            [str(BIN / "envspec"), "up", "-d", str(FILE), "--format", "json"], check=True, capture_output=True
        )
        try:
            _measure(folder, json.loads(up.stdout))
        finally:
            subprocess.run([str(BIN / "envspec"), "down", "--all"], check=True, capture_output=True)


def _measure(folder: Path, session: dict[str, Any]) -> None:
    (url,) = [item["endpoints"]["http"] for item in session["services"] if item["name"] == "frontend"]
    attaching = subprocess.run([sys.executable, __file__, "attach"], check=True, capture_output=True, text=True)
    first, *taken = json.loads(attaching.stdout)
    warm, by_hand = paired(
        PAIRS,
        lambda: run(folder, f"--env={FILE}", "--env-warm"),
        lambda: run(folder, FRONTEND_URL=url),
    )
    quotient, middle = ratio(warm, by_hand), sorted(taken)[len(taken) // 2]
    print("## A warm environment\n")
    print(f"{(__doc__ or '').strip()}\n\n{PAIRS} pairs of runs; milliseconds, median (min-max).\n")
    rows = [
        ["attach, the first time with these variables", f"{first * 1000:.0f}", "", "", "", ""],
        ["attach", ms(taken), "", f"{middle * 1000:.0f} ms", "≤ 100 ms", verdict(middle, 0.1)],
        ["run", ms(warm), ms(by_hand), f"{quotient:.2f}", "≤ 1.10", verdict(quotient, 1.1)],
    ]
    print(table(["", "envspec", "by hand", "", "bound", ""], rows))


if __name__ == "__main__":
    attach() if sys.argv[1:] == ["attach"] else main()
