"""The real libraries behind `model_loader`, with a synthetic model on the CPU. Skipped where they are not installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from envspec import ModelLoader

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default"),  # of libraries that are not ours
]

MODELS = {name: {"synthetic": {"architecture": "qwen3", "seed": seed}} for seed, name in enumerate(("chat", "other"))}
SMALL: dict[str, Any] = {"max_model_len": 512, "enforce_eager": True, "kv_cache_memory_bytes": 2**28}
PROMPTS = ["Hello", "The capital of France is"]


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, warned: list[str]) -> Iterator[ModelLoader]:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    monkeypatch.setenv("VLLM_HOST_IP", "127.0.0.1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    with ModelLoader(MODELS, warn=warned.append) as loader:
        yield loader


def shared_memory() -> set[Path]:
    return set(Path("/dev/shm").iterdir())


def vllm_processes() -> list[str]:
    commands = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    return [command for command in commands if "VLLM::" in command]


def engine_cores() -> set[int]:
    children = psutil.Process().children(recursive=True)
    return {process.pid for process in children if "EngineCore" in " ".join(process.cmdline())}


def test_vllm_answers_is_loaded_once_and_leaves_nothing(loader: ModelLoader, warned: list[str]) -> None:
    vllm = pytest.importorskip("vllm")
    before = shared_memory()
    greedy = vllm.SamplingParams(temperature=0, max_tokens=8)

    def answers(name: str) -> list[str]:
        return [answer.outputs[0].text for answer in loader(name, "vllm", **SMALL).generate(PROMPTS, greedy)]

    engine = loader("chat", "vllm", **SMALL)
    assert isinstance(engine, vllm.LLM)
    assert loader("chat", "vllm", **SMALL) is engine
    del engine
    first = answers("chat")
    assert all(first)
    assert answers("chat") == first
    assert vllm_processes()

    loader.release("chat")
    assert vllm_processes() == []
    assert shared_memory() <= before
    assert answers("chat") == first  # a new engine of the same files

    loader.close()
    assert vllm_processes() == []
    assert shared_memory() <= before
    assert warned == []


def test_vllm_makes_room_for_the_next_one(
    loader: ModelLoader, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("vllm")
    loader("chat", "vllm", **SMALL)
    first = engine_cores()
    assert len(first) == 1
    monkeypatch.setattr("envspec.models.engines.loaded.free_ram", lambda: 0)

    loader("other", "vllm", **SMALL)

    assert len(engine_cores()) == 1
    assert engine_cores().isdisjoint(first)
    loader.close()
    assert vllm_processes() == []
    assert warned == []


def test_an_option_that_vllm_does_not_know_is_its_own_error(loader: ModelLoader) -> None:
    pytest.importorskip("vllm")
    with pytest.raises(TypeError, match="no_such_option"):
        loader("chat", "vllm", no_such_option=1)


def test_a_pipeline_of_transformers_answers_and_is_loaded_once(loader: ModelLoader, warned: list[str]) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    engine = loader("chat", "transformers")
    assert isinstance(engine, transformers.TextGenerationPipeline)
    assert loader("chat", "transformers") is engine
    with warnings.catch_warnings(action="ignore"):
        [answer] = engine("Hello", max_new_tokens=8, do_sample=False)
        assert engine("Hello", max_new_tokens=8, do_sample=False) == [answer]
    assert answer["generated_text"].startswith("Hello")
    assert len(engine.tokenizer(answer["generated_text"])["input_ids"]) > len(engine.tokenizer("Hello")["input_ids"])

    del engine
    loader.close()
    assert warned == []


def test_types_are_options_by_value_too(loader: ModelLoader) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    engine = loader("chat", "transformers", dtype=torch.float32)
    assert loader("chat", "transformers", dtype=torch.float32) is engine
    assert loader("chat", "transformers", dtype=torch.bfloat16) is not engine
