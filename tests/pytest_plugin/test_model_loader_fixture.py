"""`model_loader` in a run of pytest: one engine for all tests, and none when the run is over."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

WITH_FAKE_VLLM = """
import pathlib
from envspec.models.engines import ENGINES
from tests.models.fake_engine import FakeEngine

class Told(FakeEngine):
    def load(self, path, options):
        with open("told", "a") as file:
            print("load", *options, file=file)
        return super().load(path, options)

    def release(self, engine):
        with open("told", "a") as file:
            print("release", *engine.options, file=file)
        super().release(engine)

ENGINES["vllm"] = Told()
"""

CHAT = "version: 1\nmodels: {chat: {synthetic: {architecture: qwen3}}}\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(pytester.path / "cache"))
    (pytester.mkdir("environments") / "local.yaml").write_text(CHAT)
    pytester.makepyfile(fake_vllm=WITH_FAKE_VLLM)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


WITH_DAEMON = """
import subprocess, sys
from envspec.models.engines import ENGINES
from tests.models.fake_engine import FakeEngine

class Daemon(FakeEngine):
    def load(self, path, options):
        daemon = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        with open("told", "a") as file:
            print(daemon.pid, file=file)
        return super().load(path, options)

ENGINES["vllm"] = Daemon()
"""


def told(project: pytest.Pytester) -> list[str]:
    return [line.strip() for line in (project.path / "told").read_text().splitlines()]


def test_tests_of_several_files_share_an_engine_that_ends_with_the_run(project: pytest.Pytester) -> None:
    test = "def test_it(model_loader): assert model_loader('chat', 'vllm').path.is_dir()"
    project.makepyfile(test_one=test, test_two=test, test_three=test.replace("'vllm'", "'vllm', dtype='auto'"))

    project.runpytest_subprocess("--env=local", "-p", "fake_vllm").assert_outcomes(passed=3)

    assert sorted(told(project)) == ["load", "load dtype", "release", "release dtype"]


def test_no_environment_is_started_for_a_model(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(model_loader): model_loader('chat', 'vllm')")

    result = project.runpytest_subprocess("--env=local", "-p", "fake_vllm")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*starting*")


def test_engines_of_a_failed_run_are_released_and_their_memory_comes_back(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
def test_it(model_loader):
    model = model_loader("chat", "vllm", holds=700 * 2**20)
    assert not model
"""
    )

    result = project.runpytest_subprocess("--env=local", "-p", "fake_vllm")

    result.assert_outcomes(failed=1)
    assert told(project) == ["load holds", "release holds"]
    result.stdout.no_fnmatch_line("*did not come back*")


@pytest.mark.parametrize("workers", [[], ["-n1"]])
def test_memory_that_does_not_come_back_is_told_at_the_end(project: pytest.Pytester, workers: list[str]) -> None:
    project.makepyfile(
        """
kept = []

def test_it(model_loader):
    kept.append(model_loader("chat", "vllm", holds=700 * 2**20))
"""
    )

    result = project.runpytest_subprocess("--env=local", "-p", "fake_vllm", *workers)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*envspec: after the release of chat (vllm), * MiB of memory did not come back*"])


def test_a_library_that_is_missing_fails_the_test_with_the_command(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(model_loader): model_loader('chat', 'vllm')")
    project.makepyfile(
        no_vllm="from envspec.models.engines import ENGINES; ENGINES['vllm'].__class__.modules = ('no_such_vllm',)"
    )

    result = project.runpytest_subprocess("--env=local", "-p", "no_vllm")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the backend vllm cannot load models here: no_such_vllm missing*"])
    result.stdout.fnmatch_lines(["*pip install vllm*"])


def test_a_run_without_models_imports_nothing_for_them(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import sys

def test_modules(find_free_port):
    assert not {"envspec.models", "envspec.pytest_plugin.models", "huggingface_hub"} & set(sys.modules)
"""
    )

    project.runpytest_subprocess("-p", "no:xdist", "-p", "no:timeout").assert_outcomes(passed=1)


def test_what_an_engine_started_ends_when_pytest_is_killed(project: pytest.Pytester) -> None:
    project.makepyfile(fake_vllm=WITH_DAEMON)
    project.makepyfile("""
        import os, signal
        def test_it(model_loader):
            model_loader('chat', 'vllm')
            os.kill(os.getpid(), signal.SIGKILL)
    """)

    result = project.runpytest_subprocess("--env=local", "-p", "fake_vllm")

    assert result.ret == -signal.SIGKILL
    [daemon] = map(int, told(project))
    deadline = time.monotonic() + 30
    while Path(f"/proc/{daemon}/cmdline").exists() and Path(f"/proc/{daemon}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.01)
