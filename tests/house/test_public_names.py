"""`import envspec`: few names, all documented, and nothing loaded before it is used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import envspec

HEAVY = ("pydantic", "asyncio", "jinja2", "yaml", "requests", "rich", "click", "huggingface_hub", "psutil", "selectors")


def loaded_by(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))


def test_importing_envspec_loads_nothing_heavy() -> None:
    assert loaded_by("import envspec").isdisjoint(HEAVY)


def test_importing_envspec_loads_no_module_of_its_own() -> None:
    assert {name for name in loaded_by("import envspec") if name.startswith("envspec.")} == set()


def test_installed_but_unused_plugin_loads_no_heavy_module() -> None:
    assert loaded_by("import envspec.pytest_plugin").isdisjoint({"pydantic", "jinja2", "yaml", "requests", "rich"})


def test_there_are_at_most_fifteen_public_names() -> None:
    assert len(envspec.__all__) <= 15
    assert sorted(envspec.__all__) == sorted(set(envspec.__all__))


def test_each_public_name_exists_and_is_documented() -> None:
    assert [name for name in envspec.__all__ if not (getattr(envspec, name).__doc__ or "").strip()] == []


def test_the_readme_of_the_api_names_each_public_name() -> None:
    text = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
    assert [name for name in envspec.__all__ if f"`{name}" not in text] == []


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    assert not hasattr(envspec, "no_such_name")
