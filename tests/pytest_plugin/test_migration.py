"""The usage examples that people of older suites know, to the letter, in a project that has no conftest.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from envspec.models.synthetic import Synthetic, make
from tests.models import fake_engine
from tests.models.hub_server import Hub, serving

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

SERVICE_PORTS = """
def test_example(service_ports):
    etcd_port = service_ports['etcd_client']
    nats_port = service_ports['nats_client']
    # Use ports in test...
"""

MODEL_PRELOADING = """
def test_with_model(model_loader):
    # Load model (uses cache if available)
    model = model_loader("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "vllm")
    
    # Pre-download only (for setup)
    model_loader("model-name", "vllm", preload_only=True)
"""  # noqa: W293  to the letter

DYNAMIC_PORTS = """
from tests.utils import find_free_port

def test_service():
    port = find_free_port()
    # Start service on dynamic port...
"""

USES = """
    import socket
    for number in (etcd_port, nats_port):
        socket.create_connection(("127.0.0.1", number), timeout=10).close()
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
    root = tmp_path_factory.mktemp("hub")
    for name in ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "model-name"):
        make(Synthetic(architecture="llama"), root / name)
    with serving(Hub(root)) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield pytester


def run(project: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    (project.path / "tests" / "test_example.py").write_text(test)
    assert not list(project.path.rglob("conftest.py"))
    return project.runpytest_subprocess("--env=local", *options)


def test_service_ports_of_an_environment(project: pytest.Pytester) -> None:
    run(project, SERVICE_PORTS + USES).assert_outcomes(passed=1)


def test_a_model_is_loaded_and_another_one_preloaded(project: pytest.Pytester) -> None:

    result = run(project, MODEL_PRELOADING + "    assert (model.path / 'config.json').is_file()\n", "-p", "fake_vllm")

    result.assert_outcomes(passed=1)


def test_a_free_port_from_the_module_that_the_suite_had(project: pytest.Pytester) -> None:
    run(project, DYNAMIC_PORTS).assert_outcomes(passed=1)


def test_all_three_in_one_file(project: pytest.Pytester) -> None:

    run(project, DYNAMIC_PORTS + SERVICE_PORTS + MODEL_PRELOADING, "-p", "fake_vllm").assert_outcomes(passed=3)
