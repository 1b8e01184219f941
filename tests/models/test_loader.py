"""A loader of models: what a name means, which engine one gets for it, and what is refused."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from envspec import EnvspecError, ModelLoader, ResourceError, UsageError
from envspec.models.engines.option_values import value_of
from envspec.models.synthetic import Synthetic, make
from tests.models.fake_engine import FakeEngine

TINY = {"synthetic": {"architecture": "qwen3"}}
OTHER = {"synthetic": {"architecture": "qwen3", "seed": 1}}


@pytest.fixture(autouse=True)
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    make(Synthetic(architecture="qwen3"), tmp_path / "made")
    return tmp_path / "made"


def refused(loader: ModelLoader, *arguments: str, **options: Any) -> EnvspecError:
    with pytest.raises(EnvspecError) as caught:
        loader(*arguments, **options)
    return caught.value


class TestNames:
    def test_a_declared_model_is_made_and_its_path_given(self) -> None:
        path = ModelLoader({"chat": TINY})("chat", preload_only=True)

        assert json.loads((path / "config.json").read_text())["model_type"] == "qwen3"

    def test_declared_models_may_have_what_concerns_services(self) -> None:
        models = {"chat": {**TINY, "name": "org/chat", "preload": False}}
        assert ModelLoader(models)("chat", preload_only=True).is_dir()

    @pytest.mark.parametrize("written", ["./made", "made", "../{parent}/made", "{absolute}"])
    def test_a_path_is_taken_as_it_is(self, directory: Path, written: str) -> None:
        name = written.format(parent=directory.parent.name, absolute=directory)
        assert ModelLoader()(name, preload_only=True).resolve() == directory

    def test_a_path_object_is_never_a_declared_name(self, directory: Path) -> None:
        assert ModelLoader({"made": OTHER})(Path("made"), preload_only=True) == directory

    def test_a_declared_name_comes_before_a_directory(self, directory: Path) -> None:
        assert ModelLoader({"made": OTHER})("made", preload_only=True) != directory

    def test_a_path_that_is_not_whole_is_refused_with_what_is_missing(self, directory: Path) -> None:
        (directory / "config.json").unlink()
        assert "config.json missing" in str(refused(ModelLoader(), "./made", preload_only=True))

    def test_a_name_that_is_nearly_declared_is_a_mistake(self) -> None:
        error = refused(ModelLoader({"chat": TINY}), "chatt", preload_only=True)
        assert isinstance(error, UsageError)
        assert error.hint == "did you mean 'chat'?"

    def test_a_name_that_can_be_nothing_is_refused(self) -> None:
        assert "org/name" in refused(ModelLoader(), "two words", preload_only=True).hint

    @pytest.mark.parametrize(
        ("model", "revision", "said"),
        [
            (None, None, "a model is named by a text or a path, not by None"),
            (5, None, "a model is named by a text or a path, not by 5"),
            ("", None, "the name of the model is empty"),
            ("  ", None, "the name of the model is empty"),
            ("org/name", "", "revision is empty"),
            ("org/name", " ", "revision is empty"),
            ("org/name", 5, "a revision is a text, not 5"),
        ],
    )
    def test_what_says_nothing_is_refused(self, model: Any, revision: Any, said: str) -> None:
        error = refused(ModelLoader({}), model, preload_only=True, revision=revision)
        assert str(error).partition("\n")[0] == said
        assert error.hint

    def test_a_path_has_no_revisions(self, directory: Path) -> None:
        assert "no revisions" in str(refused(ModelLoader(), str(directory), preload_only=True, revision="main"))

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ({}, "exactly one source, not 0"),
            ({**TINY, "path": "x"}, "exactly one source, not 2"),
            ({"synthetic": {"architecture": "qwen3", "sede": 1}}, "sede"),
            ({"synthetic": {"architecture": "qwen3", "layers": 0}}, "layers must be at least 1"),
            ({"repo": "org/name", "revison": "main"}, "revison"),
            ({"repo": "org/name", "revision": "../../x"}, "git has no '..' there"),
        ],
    )
    def test_what_is_declared_wrong_is_said(self, written: dict[str, object], said: str) -> None:
        error = refused(ModelLoader({"chat": written}), "chat", preload_only=True)
        assert isinstance(error, UsageError)
        assert said in str(error)

    def test_cached_asks_nobody_and_makes_nothing(self) -> None:
        loader = ModelLoader({"chat": TINY})
        assert loader.cached("chat") is None
        path = loader("chat", preload_only=True)
        assert loader.cached("chat") == path


class TestEngines:
    def test_the_same_model_backend_and_options_are_one_engine(self, fake: FakeEngine) -> None:
        with ModelLoader({"chat": TINY}) as loader:
            first = loader("chat", "fake", limits={"images": [1, 2]}, flag=True)
            assert loader("chat", "fake", flag=True, limits={"images": [1, 2]}) is first
            assert loader(first.path, "fake", flag=True, limits={"images": [1, 2]}) is first
        assert len(fake.loaded) == 1

    @pytest.mark.parametrize("options", [{}, {"flag": 1}, {"flag": False}, {"flag": True, "more": None}])
    def test_other_options_are_another_engine(self, fake: FakeEngine, options: dict[str, Any]) -> None:
        with ModelLoader({"chat": TINY}) as loader:
            assert loader("chat", "fake", flag=True) is not loader("chat", "fake", **options)
        assert len(fake.loaded) == 2

    @pytest.mark.usefixtures("fake")
    def test_two_names_of_the_same_files_share_an_engine(self) -> None:
        with ModelLoader({"chat": TINY, "twin": TINY, "other": OTHER}) as loader:
            assert loader("chat", "fake") is loader("twin", "fake")
            assert loader("chat", "fake") is not loader("other", "fake")

    @pytest.mark.usefixtures("fake")
    def test_an_engine_gets_the_path_of_the_files_and_the_options(self) -> None:
        with ModelLoader({"chat": TINY}) as loader:
            engine = loader("chat", "fake", dtype="auto")
            assert (engine.path / "model.safetensors").is_file()
            assert engine.options == {"dtype": "auto"}

    def test_preloading_loads_nothing(self, fake: FakeEngine) -> None:
        ModelLoader({"chat": TINY})("chat", "fake", preload_only=True)
        assert not fake.loaded

    def test_threads_that_want_the_same_engine_get_one(self, fake: FakeEngine) -> None:
        fake.seconds = 0.1
        gate = threading.Barrier(8)

        def ask() -> object:
            gate.wait()
            return loader("chat", "fake")

        with ModelLoader({"chat": TINY}) as loader, ThreadPoolExecutor(8) as threads:
            engines = {id(done.result()) for done in [threads.submit(ask) for _ in range(8)]}
        assert len(engines) == 1
        assert len(fake.loaded) == 1

    def test_one_engine_is_loaded_at_a_time(self, fake: FakeEngine) -> None:
        fake.seconds = 0.05
        with ModelLoader({"chat": TINY}) as loader, ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda number: loader("chat", "fake", number=number), range(4)))
        assert fake.most_at_once == 1

    def test_an_error_of_the_engine_comes_through_and_is_tried_again(self, fake: FakeEngine) -> None:
        fake.fails = [ValueError("no such dtype")]
        with ModelLoader({"chat": TINY}) as loader:
            with pytest.raises(ValueError, match="no such dtype"):
                loader("chat", "fake")
            assert loader("chat", "fake")


class TestRefusals:
    @pytest.mark.parametrize(
        ("models", "said"),
        [
            ([], "models must be a mapping of names to models, not list"),
            ("org/name", "models must be a mapping of names to models, not str"),
            ({"chat": "org/name"}, "the model chat must be a mapping, not str"),
        ],
    )
    def test_models_in_another_form_are_refused_at_once(self, models: Any, said: str) -> None:
        with pytest.raises(UsageError, match=said) as caught:
            ModelLoader(models)
        assert caught.value.hint == 'such as {"chat": {"repo": "org/name"}}'

    @pytest.mark.parametrize("name", ["org/na--me", "org/..", "org/name.git", "-org/name"])
    def test_what_no_repository_can_be_called_is_refused_before_anybody_is_asked(self, name: str) -> None:
        assert isinstance(refused(ModelLoader(), name, preload_only=True), UsageError)

    def test_an_unknown_backend_is_refused_before_anything_is_fetched(self) -> None:
        loader = ModelLoader({"chat": TINY})
        error = refused(loader, "chat", "vlm", preload_only=True)
        assert isinstance(error, UsageError)
        assert "vllm, transformers" in error.hint
        assert loader.cached("chat") is None

    def test_a_backend_is_needed_to_load(self) -> None:
        assert "a backend is missing" in str(refused(ModelLoader({"chat": TINY}), "chat"))

    def test_a_library_that_is_not_installed_is_said_with_the_command(self, fake: FakeEngine) -> None:
        fake.modules = ("json", "no_such_module_anywhere")
        loader = ModelLoader({"chat": TINY})
        error = refused(loader, "chat", "fake")
        assert isinstance(error, ResourceError)
        assert "no_such_module_anywhere missing" in str(error)
        assert error.hint == "pip install fake"
        assert loader.cached("chat") is None
        assert loader("chat", "fake", preload_only=True).is_dir()  # for which the library is not needed

    @pytest.mark.usefixtures("fake")
    def test_a_closed_loader_loads_no_more(self) -> None:
        with ModelLoader({"chat": TINY}) as loader:
            pass
        assert "closed" in str(refused(loader, "chat", "fake"))


class Configuration:
    """Compares by identity, as the configurations of transformers do."""

    def __init__(self, bits: int) -> None:
        self.bits = bits


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": [1, {2}]}, {"a": (1, {2})}),
        (Configuration(4), Configuration(4)),
        (Path("x"), Path("x")),
    ],
)
def test_options_that_say_the_same_are_the_same(one: object, other: object) -> None:
    assert value_of(one) == value_of(other)
    assert hash(value_of(one)) == hash(value_of(other))


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (1, 1.0), ("1", 1), (Configuration(4), Configuration(8)), ([1], {1}), (int, float)]
)
def test_options_that_say_different_things_are_different(one: object, other: object) -> None:
    assert value_of(one) != value_of(other)
