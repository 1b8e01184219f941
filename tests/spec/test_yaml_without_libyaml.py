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
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)
    monkeypatch.delitem(sys.modules, "envspec.spec.source")
    module = importlib.import_module("envspec.spec.source")
    yield module
    sys.modules["envspec.spec.source"] = source
    importlib.import_module("envspec.spec").source = source  # type: ignore[attr-defined]


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
    ["a:\n\tb: 1\n", "a: b: c\n", "a: 'x\nb: 1\n", "a: [1, 2\nb: 1\n", "- a\nb: 1\n", "a: @x\n", "a: {{ x }}/y\n"],
)
def test_errors_read_the_same(pure: ModuleType, text: str) -> None:
    with pytest.raises(SpecError) as expected:
        source.parse(text, "f.yaml")
    with pytest.raises(SpecError) as found:
        pure.parse(text, "f.yaml")
    assert [d.message for d in found.value.diagnostics] == [d.message for d in expected.value.diagnostics]
