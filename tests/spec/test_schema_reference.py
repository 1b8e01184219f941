"""docs/spec.md says what the program does: every key, in current tables, with examples that are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envspec.health import VALIDATORS
from envspec.resolve import resolve, stand_in
from envspec.spec.load import load
from envspec.spec.reference import definitions, properties_of, rewritten

PAGE = (Path(__file__).parents[2] / "docs" / "spec.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_tables_are_current() -> None:
    assert rewritten(PAGE) == PAGE, "run envspec schema"


def keys_shown(name: str) -> list[str]:
    """Return the keys in the tables of a class."""
    tables = re.findall(rf"<!-- keys of {name}:.*?<!-- end -->", PAGE, re.DOTALL)
    return [key for table in tables for key in re.findall(r"^\| `(\w+)`", table, re.MULTILINE)]


WITH_SECTIONS = {"ValidatorSpec", "ActionSpec", *(validator.__name__ for validator in VALIDATORS.values())}


@pytest.mark.parametrize("name", sorted(definitions().keys() - WITH_SECTIONS))
def test_every_key_stands_in_one_table(name: str) -> None:
    assert sorted(keys_shown(name)) == sorted(properties_of(name))


@pytest.mark.parametrize("kind", VALIDATORS)
def test_every_validator_has_a_section_with_its_keys(kind: str) -> None:
    section = PAGE.split(f"### `{kind}`\n")[1].split("\n#")[0]
    keys = re.findall(r"^\| `(\w+)`", section, re.MULTILINE)
    assert keys == list(properties_of(VALIDATORS[kind].__name__))


def test_a_stale_table_is_made_anew_and_prose_is_left_alone() -> None:
    stale = "before\n<!-- keys of StopSpec: timeout -->\n| old |\n<!-- end -->\nafter\n"
    fresh = rewritten(stale)
    assert "| old |" not in fresh
    assert "| `timeout` | duration | How long it may take" in fresh
    assert "Default: `10s`." in fresh
    assert fresh.startswith("before\n")
    assert fresh.endswith("after\n")


def test_no_row_is_without_words() -> None:
    assert [line for line in PAGE.splitlines() if re.fullmatch(r"\|.*\| *\|", line)] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.splitlines()[1].strip())
def test_the_examples_are_good(example: str, tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(example, "utf-8")
    assert load(file, environ={}).services


def test_the_page_names_what_templates_see_as_they_see_it(tmp_path: Path) -> None:
    paths = re.findall(r"^\| `(\w+(?:\.\w+)*)` \| the folder with `pyproject.toml`", PAGE, re.MULTILINE)
    (tmp_path / "pyproject.toml").touch()
    file = tmp_path / "env.yaml"
    file.write_text(f"services: {{a: {{command: [x, '{{{{ {paths[0]} }}}}']}}}}", "utf-8")
    environment = load(file, environ={})
    plan = resolve(environment, stand_in(environment), {})
    assert plan.services[0].replicas[0].argv == ("x", str(tmp_path))


def test_links_within_the_page_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\(#([\w-]+)\)", PAGE)) <= headings
