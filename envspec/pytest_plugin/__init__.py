"""The pytest plugin: `pytest --env=local`, and the fixtures of a live environment.

This module is imported by every pytest run where envspec is installed, so it imports nothing of envspec but small
siblings: all that costs time is behind `EnvironmentPool` and `ModelPool`, which the first test that needs one brings to
life.
"""

from __future__ import annotations

import os
import sys
from shutil import rmtree
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import pytest

from envspec.pytest_plugin.import_as_written import import_as_written
from envspec.pytest_plugin.keys import CHOSEN, MEETING, MODELS, POOL, RUN, TAKEN, WORDS, is_ordered, is_shared
from envspec.pytest_plugin.markers import LINES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

    from envspec.pytest_plugin.models import ModelPool
    from envspec.pytest_plugin.pool import EnvironmentPool
    from envspec.session.live import Environment
    from envspec.session.model_loader import ModelLoader

import_as_written()

RUN_DIRECTORY = "ENVSPEC_RUN_DIR"
"""As in envspec.models.hub.run_commits: where the processes of a run agree on the commits of branches."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of DESIGN §5."""
    from envspec.pytest_plugin.options import declare

    declare(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> Generator[None, None, None]:
    """Give way to a conftest.py that has an option with one of our names."""
    from envspec.pytest_plugin.giving_way import Absent, claimed, take_back
    from envspec.pytest_plugin.options import declare

    names = take_back(parser)
    yield
    if taken := claimed(parser, names):
        early_config.pluginmanager.unregister(sys.modules[__name__])
        early_config.pluginmanager.register(Absent(taken))
        early_config.stash[TAKEN] = taken
    else:
        declare(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Note, before xdist sets it, whether the user says how tests are handed to workers."""
    config.stash[CHOSEN] = config.getoption("dist", "no") != "no" or bool(config.getoption("distload", None))
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and name a directory for what all processes of this run must agree on."""
    for line in LINES:
        config.addinivalue_line("markers", line)
    if config.getoption("dist", "no") != "no" and config.getoption("tx") and not config.option.collectonly:
        from envspec.pytest_plugin import distribution

        if is_shared(config):
            config.stash[MEETING] = f"{gettempdir()}/envspec-xdist-{os.urandom(12).hex()}"
        else:
            from envspec.pytest_plugin.causes import Causes

            config.pluginmanager.register(Causes(), "envspec causes")  # there may be no other part in the controller
        config.pluginmanager.register(distribution, "envspec distribution")
    if RUN_DIRECTORY not in os.environ:  # a worker of xdist, and a run within a run, have it
        config.stash[RUN] = os.environ[RUN_DIRECTORY] = f"{gettempdir()}/envspec-run-{os.urandom(12).hex()}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget the run's directories, which most runs never make."""
    if meeting := config.stash.get(MEETING, ""):
        rmtree(meeting, ignore_errors=True)
    if (directory := config.stash.get(RUN, "")) and os.environ.pop(RUN_DIRECTORY, ""):
        rmtree(directory, ignore_errors=True)


def pool_of(config: pytest.Config) -> EnvironmentPool:
    """Return the environments of this run, made when first asked for."""
    if POOL not in config.stash:
        _check_presence(config)
        from envspec.pytest_plugin.pool import pool_of as made

        return made(config)
    return config.stash[POOL]


def models_of(config: pytest.Config) -> ModelPool:
    """Return the models of this run, made when first asked for."""
    if MODELS not in config.stash:
        _check_presence(config)
        from envspec.pytest_plugin.models import ModelPool

        config.stash[MODELS] = ModelPool(config)
    return config.stash[MODELS]


def _check_presence(config: pytest.Config) -> None:
    """Fail a test that asks for what there is not: pytest finds the fixtures of a plugin that was taken out, too."""
    if TAKEN in config.stash:
        from envspec.pytest_plugin.giving_way import absence

        pytest.fail(absence(config.stash[TAKEN]), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse wrong options at once, once under xdist; with -q there is no header, which would find them, too."""
    if session.config.getoption("--env") and not hasattr(session.config, "workerinput"):
        from envspec.pytest_plugin.refusing import check_options

        check_options(session.config, pool_of(session.config).naming)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Begin without the report of an earlier run."""
    if session.config.getoption("--env-report"):
        from envspec.pytest_plugin.report_place import remove_earlier

        remove_earlier(session.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses an environment once in each one that it is meant for.

    Where that is the one of --env, no parameter has to say so, which is a third of what using an environment costs.
    """
    if "environment" not in metafunc.fixturenames:
        return
    if len(metafunc.config.getoption("--env")) == 1 and not metafunc.definition.get_closest_marker("environment"):
        return
    from envspec.pytest_plugin.markers import instance_of, names_of

    names = names_of(metafunc.definition, metafunc.config)
    if names:
        naming, instance = pool_of(metafunc.config).naming, instance_of(metafunc.definition)
        wanted = list(dict.fromkeys(naming.wanted(name, instance) for name in names))  # a name and a path may be one
        ids = [pytest.HIDDEN_PARAM] if len(wanted) == 1 else [one.name for one in wanted]
        metafunc.parametrize("environment", wanted, indirect=True, scope="session", ids=ids)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Put tests of one environment together, those that want none first: environments boot meanwhile."""
    if is_ordered(config):
        result = yield
    else:
        from envspec.pytest_plugin.markers import uses_environment
        from envspec.pytest_plugin.order import overlooked

        with overlooked([item for item in items if uses_environment(item)]):
            result = yield
    _settle(config, items)
    return result


def _settle(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each test what its marker says, and the tests their order, as far as they use environments."""
    from envspec.pytest_plugin.markers import instance_of, uses_environment, wanted_of

    users = [item for item in items if uses_environment(item)]
    for item in users:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "environment" in parameters:  # a parametrized test has become several, which share nothing if told so
            name = parameters["environment"].name
            parameters["environment"] = pool_of(config).naming.wanted(name, instance_of(item))
    if users and is_ordered(config):
        from envspec.pytest_plugin.order import grouped

        items[:] = grouped([(item, wanted_of(item, pool_of(config).naming)) for item in items])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Say which tests want which environment, and let all parts of the plugin come that this needs."""
    from envspec.pytest_plugin.markers import uses_environment

    config = session.config
    if config.option.collectonly or not (config.getoption("--env") or any(map(uses_environment, session.items))):
        return
    from envspec.pytest_plugin.parts import register

    pool = pool_of(session.config)
    pool.expect(session.items)
    register(pool)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Fetch the models that the selected tests will load. Those that services need, their environment fetches."""
    if session.config.option.collectonly:
        return
    from envspec.pytest_plugin.markers import has_mark

    if any("model_loader" in getattr(item, "fixturenames", ()) or has_mark(item, "model") for item in session.items):
        models_of(session.config).preload(session.items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop a test whose models cannot be had."""
    if MODELS in item.config.stash:
        item.config.stash[MODELS].require(item)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which environments the tests will run in."""
    names = config.getoption("--env")
    return list(dict.fromkeys(f"envspec: {pool_of(config).naming.describe(name)}" for name in names))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell the whole cause of an environment that did not start, of a model that cannot be had, once."""
    if WORDS in config.stash:
        config.stash[WORDS].write(terminalreporter)
    if config.getoption("--env-set") and POOL not in config.stash and not config.option.collectonly:
        terminalreporter.line("envspec: --env-set had nothing to set: no test asked for an environment", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Release all engines, and take down whatever is up, unless it should be kept."""
    config = session.config
    if MODELS in config.stash or POOL in config.stash:
        from envspec.pytest_plugin.ending import end

        end(session)
    if WORDS in config.stash:
        from envspec.pytest_plugin.last_words import leave

        leave(session, config.stash[WORDS])


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """The live environment that this test runs in."""
    fixture: Any = request  # which of pytest's two classes it is, pytest tells the type checker not
    return pool_of(request.config).fixture(
        getattr(request, "param", None),
        lambda: fixture._fixturedef.finish(request),  # noqa: SLF001
    )


@pytest.fixture(scope="session")
def service_ports(environment: Environment) -> Mapping[str, int]:
    """Port numbers by `"<service>_<port>"`, such as `service_ports["etcd_client"]`."""
    return environment.service_ports


@pytest.fixture(scope="session")
def service_urls(environment: Environment) -> Mapping[str, str]:
    """URLs by `"<service>_<port>"`, such as `service_urls["frontend_http"]`."""
    return environment.service_urls


@pytest.fixture(scope="session")
def model_loader(request: pytest.FixtureRequest) -> ModelLoader:
    """Load models, each once per run: `model_loader("org/name", "vllm")`; with `preload_only=True` fetch files only.

    A name that an environment of `--env` declares will do, too.
    """
    from envspec.errors import EnvspecError

    try:
        return models_of(request.config).loader
    except EnvspecError as error:
        pytest.fail(f"{error}\nhint: {error.hint}", pytrace=False)


@pytest.fixture(scope="session")
def model_cache_dir() -> Path:
    """Give the directory in which huggingface_hub keeps models, for this process and all others."""
    from envspec.models.places import hub_cache

    (directory := hub_cache(os.environ)).mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def find_free_port() -> Callable[..., int]:
    """Give a port that nobody else gets as long as this process lives: leased, not guessed."""
    from envspec.leases.free_port import find_free_port as lease

    return lease
