"""PyYAML built without libyaml reads the same trees, and its errors are said in the same words."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from envspec.errors import SpecError
from envspec.spec import source


@pytest.fixture
def pure(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    names = ("composer", "source")
    before = {name: importlib.import_module(f"envspec.spec.{name}") for name in names}
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    for name in names:
        monkeypatch.delitem(sys.modules, f"envspec.spec.{name}")
    yield importlib.import_module("envspec.spec.source")
    for name, module in before.items():  # importing has put the new modules into the package, too
        setattr(importlib.import_module("envspec.spec"), name, module)


def test_the_parser_is_not_libyamls(pure: ModuleType) -> None:
    assert "Scanner" in str(pure.Composer(pure.Mended(""), "f")._parser.__class__.__mro__)


TEXT = """\
a: &x {b: "é {{ c }}", d: !raw '{{ e }}'}
f:
  - *x
  - |
    text {{ g }}
    more
  - > # folded
    text
    more
  - plain
    goes on
"""


def test_the_tree_is_the_same(pure: ModuleType) -> None:
    assert repr(pure.parse(TEXT, "f.yaml")) == repr(source.parse(TEXT, "f.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "a:\n\tb: 1\n",
        "a: b: c\n",
        "a: 'x\nb: 1\n",
        "a: [1, 2\nb: 1\n",
        "- a\nb: 1\n",
        "a: @x\n",
        "a: {{ x }}/y\n",
        "a: [--p={{ x }}]\n",
    ],
)
def test_errors_read_the_same(pure: ModuleType, text: str) -> None:
    with pytest.raises(SpecError) as expected:
        source.parse(text, "f.yaml")
    with pytest.raises(SpecError) as found:
        pure.parse(text, "f.yaml")
    assert [d.message for d in found.value.diagnostics] == [d.message for d in expected.value.diagnostics]
