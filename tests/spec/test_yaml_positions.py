"""A place inside a scalar's text is found in the file again, however YAML folded or escaped the text."""

from __future__ import annotations

import pytest

from envspec.spec import source
from envspec.spec.nodes import MapNode, Mark, Node, Scalar
from envspec.spec.positions import place

TARGET = "HERE"

STYLES = {
    "plain": "key: some HERE text\n",
    "plain, going on": "key: some text\n  goes\n\n  on HERE\n",
    "single quotes": "key: 'it''s HERE'\n",
    "single quotes, several lines": "key: 'it''s\n\n    HERE'\n",
    "double quotes": 'key: "HERE"\n',
    "escapes": 'key: "\\t\\x41\\u00e9\\U0001F600\\"\\\\\\n \\  \\_ HERE"\n',
    "an escaped line break": 'key: "one \\\n    two\\n\\\n    HERE"\n',
    "literal": "key: |\n  one\n    two HERE\n",
    "literal with indicators": "key: |2-  # why\n    one\n\n  HERE\n",
    "folded": "key: >\n  one\n  two\n\n    three HERE\n",
    "characters beyond ASCII": "ключ: 日本 é HERE\n",
    "in a list in a mapping": "a:\n- b: [x, {c: 'HERE'}]\n",
    "behind an anchor": "key: &name 'HERE'\n",
    "behind a tag on the line above": "key: !raw\n  HERE\n",
    "windows line breaks": "a: 1\r\nkey: |\r\n  one\r\n  HERE\r\n",
}


def scalars(node: Node) -> list[Scalar]:
    if isinstance(node, Scalar):
        return [node]
    if isinstance(node, MapNode):
        return [scalar for _, value in node.items for scalar in scalars(value)]
    return [scalar for item in node.items for scalar in scalars(item)]


@pytest.mark.parametrize("style", STYLES)
def test_a_place_in_the_text_is_the_place_in_the_file(style: str) -> None:
    text = STYLES[style]
    (scalar,) = (s for s in scalars(source.parse(text, "f.yaml")) if TARGET in s.text)
    before = text[: text.index(TARGET)]
    expected = Mark("f.yaml", before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert place(scalar, scalar.text.index(TARGET)) == expected


def test_a_computed_scalar_has_the_place_it_was_given() -> None:
    mark = Mark("f.yaml", 3, 7)
    assert place(Scalar(mark, "computed", "computed"), 4) == mark


def test_nodes_begin_where_they_are_written() -> None:
    root = source.parse("a:\n  b: &x\n    - one\n  c: !raw  two\n", "f.yaml")
    assert isinstance(root, MapNode)
    inner = root.get("a")
    assert isinstance(inner, MapNode)
    key, value = inner.key("c"), inner.get("c")
    assert key is not None
    assert value is not None
    assert (key.mark.line, key.mark.column) == (4, 3)
    assert (value.mark.line, value.mark.column) == (4, 12)
