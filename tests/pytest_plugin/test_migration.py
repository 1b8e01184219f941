"""The usage examples that people of older suites know, to the letter, in a project that has no conftest.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.models import fake_engine
from tests.pytest_plugin.usage_examples import (
    DYNAMIC_PORTS,
    MODEL_PRELOADING,
    SERVICE_PORTS,
    hub_of_the_examples,
)

ENVIRONMENT = """
version: 1
services:
  etcd: {use: etcd}
  nats: {use: nats}
"""

FAKE_VLLM = """
from envspec.models.engines import ENGINES
from tests_of_envspec.fake_engine import FakeEngine

ENGINES["vllm"] = FakeEngine()
"""

USES = """
    import socket
    for number in (etcd_port, nats_port):
        socket.create_connection(("127.0.0.1", number), timeout=30).close()
"""


@pytest.fixture
def project(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pytest.Pytester]:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(pytester.path / "cache"))
    monkeypatch.setenv("HF_HOME", str(pytester.path / "hf"))
    (pytester.mkdir("environments") / "local.yaml").write_text(ENVIRONMENT)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    shutil.copy(fake_engine.__file__, pytester.mkdir("tests_of_envspec"))  # "tests" is the project's
    pytester.makepyfile(fake_vllm=FAKE_VLLM)
    pytester.mkdir("tests").joinpath("utils.py").write_text("from envspec import find_free_port\n")
    with hub_of_the_examples(tmp_path_factory.mktemp("hub")) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield pytester


def run(project: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    (project.path / "tests" / "test_example.py").write_text(test)
    assert not list(project.path.rglob("conftest.py"))
    return project.runpytest_subprocess("--env=local", *options)


def test_service_ports_of_an_environment(project: pytest.Pytester) -> None:
    run(project, SERVICE_PORTS + USES).assert_outcomes(passed=1)


def test_a_model_is_loaded_and_another_one_preloaded(project: pytest.Pytester) -> None:
    """By a stand-in for vLLM; tests/vllm has the same example with the real one."""
    uses = """
    assert type(model).__name__ == "FakeModel"
    assert (model.path / "config.json").is_file()
    assert (model_loader("model-name", preload_only=True) / "model.safetensors").is_file()
    assert model_loader("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "vllm") is model
"""

    result = run(project, MODEL_PRELOADING + uses, "-p", "fake_vllm")

    result.assert_outcomes(passed=1)


def test_a_free_port_from_the_module_that_the_suite_had(project: pytest.Pytester) -> None:
    uses = """
    import socket
    socket.create_server(("127.0.0.1", port)).close()
    assert port != find_free_port()
"""
    run(project, DYNAMIC_PORTS + uses).assert_outcomes(passed=1)


def test_all_three_in_one_file(project: pytest.Pytester) -> None:

    run(project, DYNAMIC_PORTS + SERVICE_PORTS + MODEL_PRELOADING, "-p", "fake_vllm").assert_outcomes(passed=3)


def test_all_three_in_each_of_two_workers(project: pytest.Pytester) -> None:
    twice = DYNAMIC_PORTS + SERVICE_PORTS + USES + MODEL_PRELOADING
    (project.path / "tests" / "test_again.py").write_text(twice)

    run(project, twice, "-p", "fake_vllm", "-n2").assert_outcomes(passed=6)
