"""What a loader does when memory is short, and how it knows that everything was given back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from envspec import ModelLoader, ResourceError
from envspec.models.engines.memory import free_ram, weights_size
from envspec.models.synthetic import Synthetic, make
from tests.models.fake_engine import FakeEngine

MIB = 2**20
MODELS = {name: {"synthetic": {"architecture": "qwen3", "seed": seed}} for seed, name in enumerate("abc")}


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, warned: list[str]) -> Iterator[ModelLoader]:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
    with ModelLoader(MODELS, warn=warned.append) as loader:
        yield loader


@pytest.fixture
def _a_machine_of_100_mib(monkeypatch: pytest.MonkeyPatch, fake: FakeEngine) -> None:
    """The real machine's figure would move with whatever else runs there."""
    monkeypatch.setattr("envspec.models.engines.loaded.free_ram", lambda: 100 * MIB - fake.held())


@pytest.mark.usefixtures("_a_machine_of_100_mib")
def test_the_least_recently_used_engine_makes_room_and_no_other(loader: ModelLoader, fake: FakeEngine) -> None:
    path_of_a, path_of_b = (loader(name, "fake", holds=40 * MIB).path.name for name in "ab")
    loader("a", "fake", holds=40 * MIB)  # used again: now b is the one to go

    loader("c", "fake", holds=60 * MIB)

    assert fake.released == [path_of_b]
    assert fake.held() == 100 * MIB
    loader("a", "fake", holds=40 * MIB)
    assert fake.loaded.count(path_of_a) == 1


def test_with_room_enough_nothing_is_released(loader: ModelLoader, fake: FakeEngine) -> None:
    loader("a", "fake")
    loader("b", "fake", needs=MIB)
    assert not fake.released


def test_an_engine_that_made_room_is_loaded_again_when_asked_for(loader: ModelLoader, fake: FakeEngine) -> None:
    first = loader("a", "fake")
    loader("b", "fake", needs=sys.maxsize)
    assert first.released
    assert loader("a", "fake") is not first
    assert len(fake.loaded) == 3


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        type("OutOfMemoryError", (RuntimeError,), {})("torch's own"),
        ValueError("sorry, the fake is full"),
    ],
)
def test_where_memory_runs_out_all_others_go_and_it_is_tried_once_more(
    loader: ModelLoader, fake: FakeEngine, error: Exception
) -> None:
    others = [loader(name, "fake") for name in "ab"]
    fake.fails = [error]

    assert loader("c", "fake").options == {}

    assert all(other.released for other in others)


def test_what_does_not_fit_alone_is_refused_with_figures(loader: ModelLoader, fake: FakeEngine) -> None:
    loader("a", "fake")
    fake.fails = [MemoryError(), MemoryError()]
    with pytest.raises(ResourceError, match=r"c \(fake\) does not fit: .* need 3\.0 GiB of memory, .* GiB are free"):
        loader("c", "fake", needs=3 * 1024 * MIB)


def test_other_errors_release_nothing(loader: ModelLoader, fake: FakeEngine) -> None:
    loader("a", "fake")
    fake.fails = [RuntimeError("unknown architecture")]
    with pytest.raises(RuntimeError, match="unknown architecture"):
        loader("b", "fake")
    assert not fake.released


@pytest.mark.usefixtures("fake")
def test_release_ends_all_engines_of_a_model_and_of_no_other(loader: ModelLoader) -> None:
    engines = [loader("a", "fake"), loader("a", "fake", option=1), loader("b", "fake")]
    loader.release("a")
    assert [engine.released for engine in engines] == [True, True, False]


def test_close_releases_the_last_one_first_and_only_once(loader: ModelLoader, fake: FakeEngine) -> None:
    engines = [loader(name, "fake") for name in "abc"]
    loader.close()
    loader.close()
    assert fake.released == [engine.path.name for engine in reversed(engines)]


def test_memory_that_comes_back_is_not_spoken_of(loader: ModelLoader, fake: FakeEngine, warned: list[str]) -> None:
    loader("a", "fake", holds=700 * MIB)
    loader.close()
    assert warned == []
    assert fake.released


@pytest.mark.usefixtures("fake")
def test_memory_that_does_not_come_back_is_told(loader: ModelLoader, warned: list[str]) -> None:
    kept = loader("a", "fake", holds=700 * MIB)
    loader.close()
    [warning] = warned
    assert "after the release of a (fake)" in warning
    assert "MiB of memory did not come back" in warning
    assert len(kept.memory) == 700 * MIB


@pytest.mark.usefixtures("fake")
def test_by_default_it_is_a_python_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path))
    loader = ModelLoader(MODELS)
    kept = loader("a", "fake", holds=700 * MIB)
    with pytest.warns(RuntimeWarning, match="did not come back"):
        loader.close()
    assert kept.released


@pytest.mark.usefixtures("fake")
def test_processes_of_an_engine_that_end_with_it_are_not_spoken_of(loader: ModelLoader, warned: list[str]) -> None:
    process = loader("a", "fake", spawns="well-behaved").process
    loader.close()
    assert warned == []
    assert process.poll() == 0


@pytest.mark.usefixtures("fake")
def test_a_process_that_survives_its_engine_is_named(
    loader: ModelLoader, warned: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envspec.models.engines.traces.PATIENCE", 0.1)
    process = loader("a", "fake", spawns="stubborn").process
    try:
        loader.close()
        [warning] = warned
        assert f"process {process.pid} (" in warning
        assert "is still there" in warning
    finally:
        process.communicate(b"\n")


def test_an_engine_that_will_not_end_does_not_spare_the_others(
    loader: ModelLoader, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = [loader(name, "fake") for name in "ab"]
    release = fake.release

    def fails_for_b(engine: object) -> None:
        if engine is engines[1]:
            raise RuntimeError("b will not end")
        release(engines[0])

    monkeypatch.setattr(fake, "release", fails_for_b)
    with pytest.raises(RuntimeError, match="b will not end"):
        loader.close()
    assert engines[0].released


def test_weights_count_in_one_format_alone(tmp_path: Path) -> None:
    make(Synthetic(architecture="qwen3"), tmp_path / "model")
    size = (tmp_path / "model" / "model.safetensors").stat().st_size
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(b"the same again")
    assert weights_size(tmp_path / "model") == size
    assert weights_size(tmp_path / "model" / "model.safetensors") == size


def test_free_memory_is_what_the_machine_says() -> None:
    assert 0 < free_ram() <= psutil.virtual_memory().total
