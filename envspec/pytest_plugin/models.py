"""The models of one pytest process: fetched before the first test that needs them, loaded once, released at the end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest

from envspec.errors import EnvspecError, RequirementError, UsageError
from envspec.plan.outline import Outline
from envspec.plan.plan import ModelPlan
from envspec.pytest_plugin.last_words import words_of
from envspec.pytest_plugin.model_needs import Need, environment_of, is_skipped, marked
from envspec.pytest_plugin.pool import pool_of
from envspec.pytest_plugin.preload import Count, Fetch, fetch_all
from envspec.pytest_plugin.terminal import say
from envspec.pytest_plugin.text import one_line, whole_story
from envspec.session.draft import draft
from envspec.session.model_loader import ModelLoader
from envspec.session.requirements import check_requirements


class ModelPool:
    """Knows which models the tests need, and which of them cannot be had.

    A model that cannot be had is tried once. Each test that needs it errors at once with one line; the whole cause
    stands once, at the end of the report. `refused` are those tests, by nodeid; `misused` those whose marker is wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._count = Count()
        self._outlines: dict[str, Outline | None] = {}
        self._failed: dict[Need, EnvspecError] = {}
        self.refused: dict[str, Need] = {}
        self.misused: dict[str, str] = {}
        self._loader: ModelLoader | None = None

    @property
    def loader(self) -> ModelLoader:
        """The loader of this run, which knows what the environments of `--env` declare."""
        if self._loader is None:
            self._loader = ModelLoader(self._declared(), tell=self._count, warn=self._warn)
        return self._loader

    def _warn(self, text: str) -> None:
        words_of(self._config).lines.append(f"envspec: {text}")

    def _declared(self) -> dict[str, dict[str, Any]]:
        declared: dict[str, dict[str, Any]] = {}
        for environment in dict.fromkeys(self._config.getoption("--env")):
            outline = self._outline(environment)
            for model in outline.models if outline else ():
                if declared.setdefault(model.name, as_declared(model)) != as_declared(model):
                    names = ", ".join(self._config.getoption("--env"))
                    message = f"the environments {names} declare different models by the name {model.name}"
                    raise UsageError(message, hint="run them one at a time, or give one of the models another name")
        return declared

    def _outline(self, environment: str) -> Outline | None:
        """Return what is known of an environment, or None where its file is wrong: the test that starts it says so."""
        if environment not in self._outlines:
            try:
                self._outlines[environment] = draft(pool_of(self._config).naming.request(environment)).outline
            except EnvspecError:
                self._outlines[environment] = None
        return self._outlines[environment]

    def preload(self, items: Iterable[pytest.Item]) -> None:
        """Fetch what these tests will use, and remember which of them cannot have it.

        Raises:
            pytest.UsageError: a marker is not written as one.
        """
        needs = {item.nodeid: list(self._needs_or_none(item)) for item in items if not is_skipped(item)}
        missing: dict[Need, Fetch] = {}
        for need in dict.fromkeys(need for several in needs.values() for need in several):
            try:
                if (fetch := self._missing(need)) is not None:
                    missing[need] = fetch
            except EnvspecError as error:
                self._failed[need] = error
        self._failed |= fetch_all(missing, self._count, partial(say, self._config))
        for test, several in needs.items():
            if unavailable := [need for need in several if need in self._failed]:
                self.refused[test] = unavailable[0]

    def _needs_or_none(self, item: pytest.Item) -> Iterable[Need]:
        """Return what a test needs; in a worker of xdist, which an error would be the end of, note a wrong marker."""
        try:
            return self._needs(item)
        except pytest.UsageError as error:
            if not hasattr(self._config, "workerinput"):
                raise
            self.misused[item.nodeid] = str(error)
            return []

    def _needs(self, item: pytest.Item) -> Iterable[Need]:
        needs, loads = list(marked(item)), "model_loader" in getattr(item, "fixturenames", ())
        if not needs and not loads:
            return []  # the models of an environment come with its start, beside what does not need them
        for environment in environment_of(item, pool_of(self._config).naming):
            outline = self._outline(environment)
            if outline is not None and not _can_run(outline):
                return []  # the test will be skipped
            models = outline.models if outline is not None and loads else ()
            needs += [Need(model.name, "", environment) for model in models if model.preload]
        return needs

    def _missing(self, need: Need) -> Fetch | None:
        """Return what fetches a model, or None where it is here."""
        loader = self._loader_for(need)
        if loader.cached(need.model, need.revision or None) is not None:
            return None
        return partial(loader, need.model, preload_only=True, revision=need.revision or None)

    def _loader_for(self, need: Need) -> ModelLoader:
        """Return the loader that knows a model: the run's, unless a marker names an environment that --env does not."""
        if not need.environment or need.environment in self._config.getoption("--env"):
            return self.loader
        outline = self._outline(need.environment)
        return ModelLoader({model.name: as_declared(model) for model in outline.models} if outline else {})

    def require(self, item: pytest.Item) -> None:
        """Let a test go on whose models are here."""
        if item.nodeid in self.misused:
            pytest.fail(self.misused[item.nodeid], pytrace=False)
        if (need := self.refused.get(item.nodeid)) is not None:
            error = one_line(self._failed[need])
            pytest.fail(f"model {need} cannot be had: {error}\n(all of it at the end)", pytrace=False)

    def close(self) -> None:
        """Release all engines. What did not come back is told with the rest."""
        if self._loader is not None:
            _forget_last_failure()
            self._loader.close()
        if self.misused:
            words_of(self._config).sections["a marker is written wrong"] = "\n".join(self.misused.values())
        for need, error in self._failed.items():
            words_of(self._config).sections[f"model {need} cannot be had"] = whole_story(error)


def as_declared(model: ModelPlan) -> dict[str, Any]:
    """Return a model of an environment as its file has it, which is what a loader takes."""
    return dict(model.options) if model.source in model.options else {model.source: model.options}


def _can_run(outline: Outline) -> bool:
    """Tell whether this host has what an environment requires; where it has not, its tests are skipped."""
    try:
        check_requirements(outline, os.environ)
    except RequirementError:
        return False
    return True


def _forget_last_failure() -> None:
    """Clear the variables of the last failed test, which pytest keeps for debuggers: an engine may be among them."""
    if (last := getattr(sys, "last_traceback", None)) is None:
        return
    traceback.clear_frames(last)
    for frame, _ in traceback.walk_tb(last):
        frame.f_locals  # noqa: B018  before Python 3.13 a dictionary is kept, and brought up to date when it is read
