"""40 tests of 0.25 s on environments/local.yaml with `-n 8`, and what the plugin costs suites that do not need it.

Each test asks the frontend for its health and sleeps. `envspec` is `pytest -n 8 --env local`, from exec to exit, stop
included. `already up` is the same without the plugin, against services that `envspec up local` started before, plus
that start, from exec to healthy; stopping is not in it. mirakuru and pytest-xprocess have a fixture for each worker, as
their documentation shows, which runs the hand-written script of the same stack (bench/hand_written_local.py).

The suite of 5,000 tests has 50 files. What it costs to have the plugin is `--collect-only` with it and without it
(`-p no:envspec`). What it costs to use it is a run whose tests all have the fixture `environment`, of one service that
is up at once, against the same with a fixture of that name that is a constant.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tiny_model
from bench_tools import BIN, running, until_line
from measure import ms, paired, ratio, table, verdict, wall

ROOT = Path(__file__).parent.parent
LOCAL = ROOT / "environments" / "local.yaml"
WORKERS = 8
ROUNDS = 3
PAIRS = 7
TESTS = """
import time, urllib.request
import pytest

@pytest.mark.parametrize("number", range(40))
def test_it(frontend, number):
    with urllib.request.urlopen(f"{frontend}/health", timeout=30) as answer:
        assert answer.status == 200
    time.sleep(0.25)
"""
ENVSPEC = """
@pytest.fixture
def frontend(environment):
    return environment["frontend"].url("http")
"""
ALREADY_UP = """
@pytest.fixture
def frontend():
    return os.environ["FRONTEND"]
"""
BY_HAND = """
@pytest.fixture(scope="session")
def script(worker_id, tmp_path_factory):
    first = 25000 + 10 * int(worker_id[2:])
    work = tmp_path_factory.mktemp("work")
    line = [sys.executable, {script!r}, {model!r}, str(work), *map(str, range(first, first + 8))]
    return ["bash", "-c", "tail -f /dev/null | exec " + shlex.join(line)], f"http://127.0.0.1:{{first + 6}}"
"""
MIRAKURU = """
from mirakuru import OutputExecutor

@pytest.fixture(scope="session")
def frontend(script):
    command, url = script
    with OutputExecutor(command, banner="healthy", timeout=120):
        yield url
"""
XPROCESS = """
from xprocess import ProcessStarter

@pytest.fixture(scope="session")
def frontend(script, xprocess, worker_id):
    command, url = script
    class Starter(ProcessStarter):
        pattern = "healthy"
        args = command
        timeout = 120
        terminate_on_interrupt = True
    xprocess.ensure(worker_id, Starter)
    yield url
    xprocess.getinfo(worker_id).terminate()
"""


def suite(folder: Path, fixture: str) -> None:
    (folder / "pyproject.toml").touch()
    (folder / "conftest.py").write_text(f"import os, shlex, sys\nimport pytest\n{fixture}")
    (folder / "test_it.py").write_text(TESTS)


def tests(folder: Path, *options: str, **environ: str) -> float:
    """Run a suite on all workers, from exec to exit."""
    argv = [str(BIN / "pytest"), "-q", "-p", "no:timeout", "-n", str(WORKERS), *options]
    begin = time.perf_counter()
    done = subprocess.run(
        argv, cwd=folder, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout)
    return time.perf_counter() - begin


def with_envspec(folder: Path) -> float:
    suite(folder, ENVSPEC)
    return tests(folder, "-p", "no:xprocess", f"--env={LOCAL}", ENVSPEC_STATE_DIR=str(folder / "state"))


def already_up(folder: Path) -> float:
    suite(folder, ALREADY_UP)
    environ = {**os.environ, "ENVSPEC_STATE_DIR": str(folder / "state")}
    begin = time.perf_counter()
    with running([str(BIN / "envspec"), "up", str(LOCAL)], folder, environ) as tool:
        until_line(tool, "is healthy")
        start = time.perf_counter() - begin
        listed = [str(BIN / "envspec"), "ps", "--format=json"]
        (session,) = json.loads(subprocess.run(listed, env=environ, capture_output=True, check=True).stdout)
        port = next(service["ports"]["http"] for service in session["services"] if service["name"] == "frontend")
        url = f"http://127.0.0.1:{port}"
        return start + tests(folder, "-p", "no:envspec", "-p", "no:xprocess", FRONTEND=url)


def other(fixture: str, model: Path) -> Callable[[Path], float]:
    script = BY_HAND.format(script=str(ROOT / "bench" / "hand_written_local.py"), model=str(model))

    def run(folder: Path) -> float:
        suite(folder, script + fixture)
        return tests(folder, "-p", "no:envspec")

    return run


def in_new_folder(run: Callable[[Path], float]) -> Callable[[], float]:
    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return run(Path(folder))

    return once


def large(folder: Path, *, uses: bool) -> None:
    """Make a suite of 5,000 tests, whose tests use a fixture `environment` or nothing at all."""
    (folder / "environments").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (folder / "environments" / "one.yaml").write_text("version: 1\nservices: {one: {command: [sleep, '600']}}\n")
    for file in range(50):
        body = "".join(f"def test_{n}({'environment' if uses else ''}): pass\n" for n in range(100))
        (folder / f"test_{file}.py").write_text(body)


def large_runs(folder: Path) -> list[list[Callable[[], float]]]:
    """Return collecting with and without the plugin, and running with and without using it."""
    environ = {**os.environ, "ENVSPEC_STATE_DIR": str(folder / "state")}
    (folder / "constant.py").write_text(
        "import pytest\n@pytest.fixture(scope='session')\ndef environment(): return None\n"
    )
    large(folder / "unused", uses=False)
    large(folder / "used", uses=True)
    pytest = [str(BIN / "pytest"), "-q", "-p", "no:cacheprovider", "-p", "no:xprocess", "-p", "no:xdist"]
    unused = {"cwd": folder / "unused", "env": environ}
    used = {"cwd": folder / "used", "env": {**environ, "PYTHONPATH": str(folder)}}
    return [
        [
            lambda: wall([*pytest, "--collect-only"], **unused),
            lambda: wall([*pytest, "--collect-only", "-p", "no:envspec"], **unused),
        ],
        [
            lambda: wall([*pytest, "--env=one"], **used),
            lambda: wall([*pytest, "-p", "no:envspec", "-p", "constant"], **used),
        ],
    ]


def main() -> None:
    _, model = tiny_model.make_in_new_cache()
    runs = [with_envspec, already_up, other(MIRAKURU, model), other(XPROCESS, model)]
    measured = [in_new_folder(run) for run in runs]
    paired(1, *measured[:2])  # fills the page cache, and lets envspec see its file
    ours, up, mirakuru, xprocess = paired(ROUNDS, *measured)
    with tempfile.TemporaryDirectory() as folder:
        collecting, running_all = large_runs(Path(folder))
        having, lacking = paired(3 * PAIRS, *collecting)
        using, constant = paired(PAIRS, *running_all)
    share = ratio(having, lacking) - 1
    each = sorted((a - b) / 5000 for a, b in zip(using, constant, strict=True))[PAIRS // 2]
    rows = [
        ["envspec, s", seconds(ours), "", ""],
        ["already up, and one start, s", seconds(up), "", ""],
        ["envspec ÷ already up", f"{ratio(ours, up):.2f}", "≤ 1.15", verdict(ratio(ours, up), 1.15)],
        ["mirakuru, one per worker, s", seconds(mirakuru), "", ""],
        ["pytest-xprocess, one per worker, s", seconds(xprocess), "", ""],
        ["mirakuru ÷ envspec", f"{ratio(mirakuru, ours):.2f}", "≥ 2", verdict(-ratio(mirakuru, ours), -2)],
        ["pytest-xprocess ÷ envspec", f"{ratio(xprocess, ours):.2f}", "≥ 2", verdict(-ratio(xprocess, ours), -2)],
        ["collecting 5,000 tests without the plugin, ms", ms(lacking), "", ""],
        ["more with it", f"{share:.1%}", "≤ 2 %", verdict(share, 0.02)],
        ["5,000 tests with a constant, ms", ms(constant), "", ""],
        ["more for each with `environment`, ms", f"{each * 1000:.2f}", "≤ 0.3", verdict(each, 0.0003)],
    ]
    print("## Tests\n")
    counts = f"{ROUNDS} rounds, {3 * PAIRS} pairs of collecting and {PAIRS} of running the large suite"
    print(f"{(__doc__ or '').strip()}\n\n{counts}; median (min-max).\n")
    print(table(["what", "", "bound", ""], rows))


def seconds(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 2]:.1f} ({ordered[0]:.1f}-{ordered[-1]:.1f})"


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    main()
