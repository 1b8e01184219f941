"""After a run, whatever its end, nothing of an environment is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envspec.pytest_plugin.meeting import BROKER
from envspec.session.unix_socket import listen
from tests.hydra import ENVIRONMENT
from tests.session.running import eventually

TELL_PIDS = """
import json, pathlib

def test_tell(environment):
    lines = environment["hydra"].logs().split()
    pids = [int(word) for word in lines if word.isdigit()]
    pathlib.Path(f"pids.{environment.id}.json").write_text(json.dumps(pids))
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.mkdir("environments") / "hydra.yaml").write_text(f"version: 1\n{ENVIRONMENT}")
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


def told_pids(folder: Path) -> list[int]:
    return [pid for file in folder.glob("pids.*.json") for pid in json.loads(file.read_text())]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(pids: list[int], within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_daemonised_children_that_ignore_term_end_with_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(TELL_PIDS)

    project.runpytest_subprocess("--env=hydra").assert_outcomes(passed=1)

    pids = told_pids(project.path)
    assert len(pids) == 4
    assert not [pid for pid in pids if is_alive(pid)]


def test_each_xdist_worker_has_an_environment_of_its_own_and_leaves_none(project: pytest.Pytester) -> None:
    project.makepyfile(
        TELL_PIDS.replace("test_tell", "test_tell_one") + TELL_PIDS.replace("test_tell", "test_tell_two")
    )

    result = project.runpytest_subprocess("--env=hydra", "-n2", "--dist=each")

    result.assert_outcomes(passed=4)
    assert len(list(project.path.glob("pids.*.json"))) == 2
    assert all_gone(told_pids(project.path))


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_nothing_survives_a_killed_pytest(
    project: pytest.Pytester, workers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    project.makepyfile(TELL_PIDS + "    import time; time.sleep(600)\n")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--env=hydra", "-p", "no:timeout", workers],
        cwd=project.path,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while not told_pids(project.path):
            assert time.monotonic() < deadline, "the test did not begin"
            time.sleep(0.05)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()

    assert all_gone(told_pids(project.path))
    eventually(lambda: not list(own.glob("envspec-xdist-*")))


def test_the_next_run_removes_what_one_left_that_died_with_its_workers(
    project: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setenv("TMPDIR", str(own))
    left, alive, new = (own / f"envspec-xdist-{name}" for name in ("left", "alive", "new"))
    for directory in (left, alive, new):
        directory.mkdir()
    listener = listen(alive / BROKER)
    for directory in (left, new):
        listen(directory / BROKER).close()
    for directory in (left, alive):
        os.utime(directory, (0, 0))
    project.makepyfile(TELL_PIDS)

    project.runpytest_subprocess("--env=hydra", "-n1").assert_outcomes(passed=1)

    listener.close()
    assert sorted(own.glob("envspec-xdist-*")) == [alive, new]
