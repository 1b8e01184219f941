"""What the marker `environment` and the fixture of that name say of a test. Imports nothing of envspec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from envspec.pytest_plugin.naming import Naming
    from envspec.pytest_plugin.wanted import Wanted

MARKS: pytest.StashKey[frozenset[str]] = pytest.StashKey()
LINES = (
    "environment(*names, scope='session', faults=()): run this test in the named environments, whatever --env "
    "says; scope='module' or 'function' gives each module or test its own; what faults=[{'after': '2s', 'kill': "
    "'worker.1'}] says is done to its services while it runs",
    "model(*names, revision): fetch these models before the first test runs",
)
"""What `pytest --markers` says."""
SCOPES = ("session", "module", "function")


def names_of(definition: pytest.Item, config: pytest.Config) -> list[str]:
    """Return the environments that a test is meant for. One whose marker is wrong fails."""
    marker = definition.get_closest_marker("environment")
    if marker is None:
        return list(dict.fromkeys(config.getoption("--env")))
    if wrong := wrong_with(marker, definition):
        pytest.fail(f"{definition.nodeid}: {wrong}", pytrace=False)
    return [str(name) for name in marker.args] or list(dict.fromkeys(config.getoption("--env")))


def wrong_with(marker: pytest.Mark, definition: pytest.Item) -> str:
    """Return what is wrong with a test's marker, and what to write instead; empty where it names environments."""
    if _is_one_of_several(marker, definition):
        message = "there are two markers environment at one place, and only one can hold"
        return f"{message}\nhint: write one: environment('NAME', 'OTHER') runs the test once in each"
    if odd := [key for key in marker.kwargs if key not in ("scope", "faults")]:
        message = f"the marker environment takes names, scope= and faults=, not {odd[0]}="
        return f"{message}\nhint: vars of environments are set by --env-set KEY=VALUE"
    if not marker.args and not marker.kwargs:
        return "the marker environment names no environment\nhint: write @pytest.mark.environment('NAME')"
    if not all(marker.args):
        return "the marker environment names an environment ''\nhint: write @pytest.mark.environment('NAME')"
    if (scope := marker.kwargs.get("scope", "session")) not in SCOPES:
        return f"the marker environment has no scope {scope!r}\nhint: there are: {', '.join(SCOPES)}"
    return _wrong_with_faults(marker.kwargs.get("faults", ()))


def _is_one_of_several(marker: pytest.Mark, definition: pytest.Item) -> bool:
    """Tell whether a marker stands with another one on a function, a class or a module; the nearest place counts."""
    for node in reversed(definition.listchain()):
        if marker in node.own_markers:
            written = getattr(getattr(node, "obj", None), "__dict__", {}).get("pytestmark", ())
            marks = written if isinstance(written, list | tuple) else (written,)
            return len([mark for mark in marks if getattr(mark, "name", "") == "environment"]) > 1
    return False


def _wrong_with_faults(faults: object) -> str:
    """Return what is wrong with `faults=` at first sight: what they say is read when the environment is there."""
    if isinstance(faults, list | tuple) and all(isinstance(fault, dict) for fault in faults):
        return ""
    return 'faults= of the marker environment is a list of mappings\nhint: faults=[{"after": "2s", "kill": "worker.1"}]'


def instance_of(item: pytest.Item) -> str:
    """Return who shares the environment of a test: empty for all, else the id of its module or its own."""
    marker = item.get_closest_marker("environment")
    scope = marker.kwargs.get("scope", "session") if marker is not None else "session"
    if scope == "module":
        module = item.getparent(pytest.Module)
        return module.nodeid if module is not None else item.nodeid
    return item.nodeid if scope == "function" else ""


def wanted_of(item: pytest.Item, naming: Naming) -> tuple[Wanted, ...]:
    """Return what a test wants: by the parameter of its fixture, by a marker that has none, or as its code asks.

    A test whose fixture pytest gave no parameter, as in a unittest.TestCase, cannot be run in several: it will fail.
    """
    if "environment" in getattr(item, "fixturenames", ()):
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "environment" in parameters:
            return (parameters["environment"],)
        return _only(bare_of(item, naming))
    if is_marked(item, naming):
        return bare_of(item, naming)
    return _only(bare_of(item, naming)) if _asks(item) else ()


def _only(found: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
    return found if len(found) == 1 else ()


def _asks(item: pytest.Item) -> bool:
    """Tell whether the code of a test asks for the environment of --env."""
    if not item.config.option.envspec_env:
        return False
    from envspec.pytest_plugin.asking import asks_by_name

    return asks_by_name(item)


def is_marked(item: pytest.Item, naming: Naming) -> bool:
    """Tell whether a test has the marker, and it is ours."""
    if not has_mark(item, "environment"):
        return False
    return "environment" in getattr(item, "fixturenames", ()) or not naming.is_foreign


def bare_of(item: pytest.Item, naming: Naming) -> tuple[Wanted, ...]:
    """Return what a test is meant for by its marker, or by --env, whatever its fixture's parameter is."""
    marker = item.get_closest_marker("environment")
    if marker is not None and wrong_with(marker, item):
        return ()
    instance = instance_of(item)
    wanted = (naming.wanted(name, instance) for name in names_of(item, item.config))
    return tuple(dict.fromkeys(wanted))


def uses_environment(item: pytest.Item) -> bool:
    """Tell whether a test has the marker or the fixture, or asks for that by its name."""
    return "environment" in getattr(item, "fixturenames", ()) or has_mark(item, "environment") or _asks(item)


def has_mark(item: pytest.Item, name: str) -> bool:
    """Tell whether a test, its class, its module or a folder has a mark; cheap, since each test of each suite is asked.

    pytest's keywords would not do: they hold names as well, as that of a folder `environment`.
    """
    own = item.own_markers
    return (bool(own) and any(mark.name == name for mark in own)) or name in _marks(item.parent)


def _marks(node: pytest.Collector | None) -> frozenset[str]:
    """Return the marks of a node and of those above it, found once for all tests below."""
    if node is None:
        return frozenset()
    marks = node.stash.get(MARKS, None)
    if marks is None:
        marks = node.stash[MARKS] = frozenset(mark.name for mark in node.iter_markers())
    return marks
