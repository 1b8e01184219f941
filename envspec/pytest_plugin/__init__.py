"""The pytest plugin: `pytest --env=local`, and the fixtures of a live environment.

This module is imported by every pytest run where envspec is installed, so it imports nothing of envspec itself: all
that costs time is behind `EnvironmentPool` and `ModelPool`, which the first test that needs one brings to life.
"""

from __future__ import annotations

import os
from shutil import rmtree
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from envspec.pytest_plugin.models import ModelPool
    from envspec.pytest_plugin.pool import EnvironmentPool
    from envspec.pytest_plugin.wanted import Wanted
    from envspec.session.live import Environment
    from envspec.session.model_loader import ModelLoader

POOL: pytest.StashKey[EnvironmentPool] = pytest.StashKey()
MODELS: pytest.StashKey[ModelPool] = pytest.StashKey()
RUN: pytest.StashKey[str] = pytest.StashKey()
SCOPES = ("session", "module", "function")
RUN_DIRECTORY = "ENVSPEC_RUN_DIR"
"""As in envspec.models.hub.run_commits: where the processes of a run agree on the commits of branches."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of DESIGN §5."""
    group = parser.getgroup("envspec", "test environments")
    group.addoption(
        "--env",
        action="append",
        default=[],
        metavar="NAME",
        help="environment that tests run in: a name in environments/ or a path. "
        "Given several times, the tests that use one run once in each.",
    )
    group.addoption(
        "--env-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one of the environment's vars (repeatable)",
    )
    group.addoption("--env-keep", action="store_true", help="leave environments up after the tests")
    group.addoption(
        "--env-strict",
        action="store_true",
        help="fail, instead of skip, where this host lacks what an environment requires",
    )
    group.addoption(
        "--env-per-worker", action="store_true", help="under xdist, give each worker environments of its own"
    )
    group.addoption(
        "--env-up", type=_count, default=4, metavar="N", help="environments that may be up at once (default: 4)"
    )
    group.addoption(
        "--env-order",
        choices=("group", "keep"),
        default="group",
        help="group tests by environment, those that use none first (default), or keep the order as it is",
    )
    group.addoption(
        "--env-attach", action="store_true", help="use a running session of the same environment, if there is one"
    )
    group.addoption(
        "--env-warm", action="store_true", help="as --env-attach, and leave what had to be started up for the next run"
    )
    group.addoption(
        "--env-ttl",
        metavar="DURATION",
        help="how long --env-warm leaves an environment up after its last use, as 10min",
    )
    group.addoption(
        "--env-on-crash",
        choices=("error", "restart"),
        default="error",
        help="after a service died: let the tests that follow error at once (default), or start the environment anew",
    )
    group.addoption(
        "--env-report",
        metavar="PATH",
        help="after a failed run, write what is needed to understand it there: a directory, or one file if it ends in .zip",
    )
    group.addoption(
        "--env-timeline", action="store_true", help="show at the end where the time went: starts, tests, stops"
    )


def _count(text: str) -> int:
    """Read a number of environments."""
    from argparse import ArgumentTypeError

    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number of environments: it must be 1 or more")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and name a directory for what all processes of this run must agree on."""
    config.addinivalue_line(
        "markers",
        "environment(*names, scope='session'): run this test in the named environments, whatever --env says; "
        "scope='module' or 'function' gives each module or test its own",
    )
    config.addinivalue_line("markers", "model(*names, revision): fetch these models before the first test runs")
    if RUN_DIRECTORY not in os.environ:  # a worker of xdist, and a run within a run, have it
        config.stash[RUN] = os.environ[RUN_DIRECTORY] = f"{gettempdir()}/envspec-run-{os.urandom(12).hex()}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget the run's directory, which most runs never make."""
    if (directory := config.stash.get(RUN, "")) and os.environ.pop(RUN_DIRECTORY, ""):
        rmtree(directory, ignore_errors=True)


def pool_of(config: pytest.Config) -> EnvironmentPool:
    """Return the environments of this run, made when first asked for."""
    if POOL not in config.stash:
        from envspec.pytest_plugin.pool import EnvironmentPool

        config.stash[POOL] = EnvironmentPool(config)
    return config.stash[POOL]


def models_of(config: pytest.Config) -> ModelPool:
    """Return the models of this run, made when first asked for."""
    if MODELS not in config.stash:
        from envspec.pytest_plugin.models import ModelPool

        config.stash[MODELS] = ModelPool(config)
    return config.stash[MODELS]


def _names(definition: pytest.Item, config: pytest.Config) -> list[str]:
    marker = definition.get_closest_marker("environment")
    if marker is None:
        return list(dict.fromkeys(config.getoption("--env")))
    if wrong := _wrong(marker):
        pytest.fail(f"{definition.nodeid}: {wrong}", pytrace=False)
    return [str(name) for name in marker.args] or list(dict.fromkeys(config.getoption("--env")))


def _wrong(marker: pytest.Mark) -> str:
    """Return what is wrong with a marker, and what to write instead; empty where it names environments."""
    if odd := [key for key in marker.kwargs if key != "scope"]:
        message = f"the marker environment takes names and scope=, not {odd[0]}="
        return f"{message}\nhint: vars of environments are set by --env-set KEY=VALUE"
    if not marker.args and not marker.kwargs:
        return "the marker environment names no environment\nhint: write @pytest.mark.environment('NAME')"
    if (scope := marker.kwargs.get("scope", "session")) not in SCOPES:
        return f"the marker environment has no scope {scope!r}\nhint: there are: {', '.join(SCOPES)}"
    return ""


def _instance(item: pytest.Item) -> str:
    """Return who shares the environment of a test: empty for all, else the id of its module or its own."""
    marker = item.get_closest_marker("environment")
    scope = marker.kwargs.get("scope", "session") if marker is not None else "session"
    if scope == "module":
        module = item.getparent(pytest.Module)
        return module.nodeid if module is not None else item.nodeid
    return item.nodeid if scope == "function" else ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses an environment once in each one that it is meant for."""
    if "environment" not in metafunc.fixturenames:
        return
    names = _names(metafunc.definition, metafunc.config)
    if names:
        ids = [pytest.HIDDEN_PARAM] if len(names) == 1 else names
        pool, instance = pool_of(metafunc.config), _instance(metafunc.definition)
        wanted = [pool.wanted(name, instance) for name in names]
        metafunc.parametrize("environment", wanted, indirect=True, scope="session", ids=ids)


def wanted_of(item: pytest.Item) -> tuple[Wanted, ...]:
    """Return what a test wants: by the parameter of its fixture, or by a marker that has none."""
    if "environment" in getattr(item, "fixturenames", ()):
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        return (parameters["environment"],) if "environment" in parameters else ()
    marker = item.get_closest_marker("environment") if "environment" in item.keywords else None
    if marker is None or _wrong(marker):
        return ()
    pool, instance = pool_of(item.config), _instance(item)
    return tuple(pool.wanted(name, instance) for name in _names(item, item.config))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put tests of one environment together, those that want none first: environments boot meanwhile."""
    users = [item for item in items if _uses_environment(item)]
    for item in users:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "environment" in parameters:  # a parametrized test has become several, which share nothing if told so
            parameters["environment"] = pool_of(config).wanted(parameters["environment"].name, _instance(item))
    if users and config.getoption("--env-order") == "group":
        from envspec.pytest_plugin.order import grouped

        items[:] = grouped([(item, wanted_of(item)) for item in items])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Say which tests want which environment, and let all parts of the plugin come that this needs."""
    if session.config.option.collectonly or not any(_uses_environment(item) for item in session.items):
        return
    from envspec.pytest_plugin.parts import register

    pool = pool_of(session.config)
    pool.expect(session.items)
    register(pool)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Fetch the models that the tests which were selected will use."""
    if session.config.option.collectonly:
        return
    if any("model" in item.keywords or _uses_environment(item) for item in session.items):
        models_of(session.config).preload(session.items)


def _uses_environment(item: pytest.Item) -> bool:
    return "environment" in item.keywords or "environment" in getattr(item, "fixturenames", ())


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop a test whose models cannot be had, or whose marker is wrong."""
    if "environment" in item.keywords:
        _names(item, item.config)
    if MODELS in item.config.stash:
        item.config.stash[MODELS].require(item)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which environments the tests will run in."""
    names = config.getoption("--env")
    if names:
        pool_of(config).check_options()
    return [f"envspec: {pool_of(config).describe(name)}" for name in dict.fromkeys(names)]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell the whole cause of an environment that did not start, of a model that cannot be had, once."""
    if MODELS in config.stash:
        config.stash[MODELS].summarise(terminalreporter)
    if POOL in config.stash:
        config.stash[POOL].summarise(terminalreporter)
    elif config.getoption("--env-set") and not config.option.collectonly:
        terminalreporter.line("envspec: --env-set had nothing to set: no test asked for an environment", yellow=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Release all engines, and take down whatever is up, unless it should be kept."""
    if MODELS in session.config.stash:
        session.config.stash[MODELS].close()
    if POOL in session.config.stash:
        if session.config.stash[POOL].close():
            session.exitstatus = pytest.ExitCode.INTERRUPTED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001  the hook's signature
    """Take over what an xdist worker has to say about its environments: only the controller has a terminal."""
    output = getattr(node, "workeroutput", {})
    if told := output.get("envspec"):
        pool_of(node.config).heard(node.gateway.id, told)
    if told := output.get("envspec models"):
        models_of(node.config).heard(node.gateway.id, told)


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """The live environment that this test runs in."""
    wanted = getattr(request, "param", None)
    pool = pool_of(request.config)
    live = pool.live(wanted)
    if wanted is not None:  # before it is given back, all that depends on it has to be torn down
        fixture: Any = request  # which of pytest's two classes it is, pytest tells the type checker not
        pool.finish_with(wanted, lambda: fixture._fixturedef.finish(request))  # noqa: SLF001
    return live


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
    import os

    from envspec.models.places import hub_cache

    directory = hub_cache(os.environ)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def find_free_port() -> Callable[..., int]:
    """Give a port that nobody else gets as long as this process lives: leased, not guessed."""
    from envspec.leases.free_port import find_free_port as lease

    return lease
