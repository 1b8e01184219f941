"""The usage example of an older suite that loads a model, to the letter and with the real vLLM."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.usage_examples import MODEL_PRELOADING, hub_of_the_examples

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

USES = """
    import vllm
    assert isinstance(model, vllm.LLM)
    assert model.generate("Hello")[0].outputs[0].text
"""


def test_a_model_is_loaded_and_another_one_preloaded(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(pytester.path / "cache"))
    monkeypatch.setenv("HF_HOME", str(pytester.path / "hf"))
    for name, value in {"VLLM_NO_USAGE_STATS": "1", "VLLM_HOST_IP": "127.0.0.1", "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; the example gives vLLM no options
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    pytester.makepyfile(MODEL_PRELOADING + USES)
    with hub_of_the_examples(tmp_path_factory.mktemp("hub")) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        result = pytester.runpytest_subprocess("-o", "filterwarnings=default")

    result.assert_outcomes(passed=1)
