"""From the parser's events to the tree, with everything refused that a file of ours cannot mean.

libyaml gives the events. Building the tree from them here costs no more than PyYAML's own composer, which knows neither
YAML 1.2 nor our rules, and which a file of a hundred thousand brackets makes overflow the C stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import yaml

from envspec.errors import Diagnostic, SpecError
from envspec.spec.core_schema import TAGS, core_value, tagged_value
from envspec.spec.diagnostics import at
from envspec.spec.nodes import ListNode, MapNode, Mark, Node, Scalar
from envspec.spec.unquoted import Mended, value_at

try:
    from yaml._yaml import CParser as _Parser
except ImportError:  # PyYAML was built without libyaml: slower, and its syntax errors read differently

    class _Parser(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):  # type: ignore[no-redef]
        """PyYAML's own parser, put together as its loaders do it."""

        def __init__(self, stream: str) -> None:
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)


Pair: TypeAlias = tuple[Scalar, Node]

MAX_NODES = 100_000
"""Nodes after every alias is followed: a "billion laughs" file has 10**9, a large environment 10**4."""
MAX_DEPTH = 64
"""Deeper nesting is refused before it can exhaust the stack."""

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")


def events_of(text: str) -> Iterator[Any]:
    """Yield the parser's events, whose marks say to the character where what they tell of stands.

    Raises:
        yaml.MarkedYAMLError: the text is no YAML from here on.
    """
    parser = _Parser(text)
    while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
        yield event


def templates_within(text: str) -> Iterator[int]:
    """Yield where values begin in whose midst a template opens that nobody quoted, up to the first syntax error.

    Only within brackets does YAML see a mapping there: behind a word, where there can be none.
    """
    # A directive's `%` would end the scanning before the bracket in front of it is told.
    parser, word, done = _Parser(text.replace("{%", "{{").replace("%}", "}}")), -1, 0
    with suppress(yaml.MarkedYAMLError):
        while token := parser.get_token():
            start = token.start_mark.index
            opens = isinstance(token, yaml.FlowMappingStartToken) and text[start : start + 2] in ("{{", "{%")
            if opens and word >= done:
                yield word
                done = word + len(value_at(text, word))
            word = start if isinstance(token, yaml.ScalarToken) and token.plain else -1


def line_and_column(text: str, index: int) -> tuple[int, int]:
    """Return the place of a character, both numbers from 1."""
    before = text[:index]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


class Composer:
    """Builds the tree of one document; what is wrong but does not stop the reading is put in `found`.

    `bare` are the indexes of templates that nobody quoted, which YAML took for mappings.
    """

    def __init__(self, mended: Mended, file: str) -> None:
        self.found: list[Diagnostic] = []
        self.bare: list[int] = []
        self._mended, self._text, self._file = mended, mended.text, file
        self._parser = _Parser(mended.text)
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._nodes = 0

    def document(self) -> Node:
        """Return the only document's root."""
        self._next()  # the stream's start
        if isinstance(self._next(), yaml.StreamEndEvent):
            return Scalar(Mark(self._file, 1, 1), "", None)
        root = self._node(self._next(), 0)
        self._next()  # the document's end
        # Asked for even where one document is all there is, since only then are errors behind it found.
        second = self._next()
        if isinstance(second, yaml.DocumentStartEvent):
            self._complain(second, "several-documents", "a second document begins here", "one file holds one")
        return root

    def _next(self) -> Any:
        return self._parser.get_event()

    def _mark(self, event: Any) -> Mark:
        return Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _complain(self, event: Any, code: str, message: str, hint: str = "") -> None:
        self.found.append(at(self._mark(event), code, message, hint))

    def _stop(self, event: Any, code: str, message: str, hint: str = "") -> SpecError:
        self._complain(event, code, message, hint)
        return SpecError(self.found)

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        # What a node costs is known only once it is complete; its alias will cost the same again.
        before = self._nodes
        self._count(event, 1)
        if depth > MAX_DEPTH:
            raise self._stop(event, "too-deep", f"this is nested deeper than {MAX_DEPTH} levels")
        # Known but not complete: an alias met before the node ends stands inside it.
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = self._fresh(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._nodes - before)
        return node

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = f"the file has more than {MAX_NODES} nodes once its aliases are followed"
            raise self._stop(event, "too-large", message)

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            return self._nothing(event, "unknown-anchor", f"there is no anchor '&{event.anchor}' above this alias")
        anchored = self._anchors[event.anchor]
        if anchored is None:
            message = f"the alias '*{event.anchor}' stands inside what it refers to"
            return self._nothing(event, "recursive-alias", message)
        node, size = anchored
        self._count(event, size)
        return node

    def _nothing(self, event: Any, code: str, message: str) -> Scalar:
        """Note an alias that stands for nothing, and return null: as a value, that is what is not written."""
        self._complain(event, code, message)
        return Scalar(self._mark(event), "", None)

    def _fresh(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if event.tag != f"tag:yaml.org,2002:{'seq' if is_list else 'map'}":
            self._refuse_tag(event)
        if is_list:
            items = []
            while not isinstance(item := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return ListNode(self._mark(event), tuple(items))
        return MapNode(self._mark(event), self._pairs(event, depth))

    def _scalar(self, event: Any) -> Scalar:
        mark, start = self._mark(event), event.start_mark.index
        if event.tag or event.anchor:  # the event begins with them, the text after them
            start = _PROPERTIES.match(self._text, start).end()  # type: ignore[union-attr]
            mark = Mark(self._file, *line_and_column(self._text, start))
        raw = event.tag == "!raw"
        written = self._text[start : event.end_mark.index]
        if self._mended.is_template(start):
            text = self._mended.original(event.value, start)
            return Scalar(mark, text, text, written=self._mended.original(written, start))
        if event.tag in TAGS:
            value = self._tagged(event)
            return Scalar(mark, event.value, value, not isinstance(value, str), raw, written)
        if not raw:
            self._refuse_tag(event)
        # YAML resolves a plain scalar only where no tag says what it is, so `!raw 5` is text.
        plain = not event.style and not event.tag
        value = core_value(event.value) if plain else event.value
        return Scalar(mark, event.value, value, plain, raw, written)

    def _tagged(self, event: Any) -> Any:
        try:
            return tagged_value(event.tag, event.value)
        except ValueError as error:
            self._complain(event, "wrong-type", f"the tag {_short(event.tag)} is wrong: {error}")
            return None

    def _refuse_tag(self, event: Any) -> None:
        if event.tag and event.tag != "!":
            tag = _short(event.tag)
            if tag == "!raw":
                message, hint = "the tag !raw stands before text, not before a list or mapping", ""
            else:
                message, hint = f"the tag {tag} is not known here", "text is written in quotes; the only tag is !raw"
            self._complain(event, "unknown-tag", message, hint)

    def _pairs(self, start: Any, depth: int) -> tuple[Pair, ...]:
        """Read keys and values up to the end of the mapping; `<<` gives what the mapping itself does not write."""
        own: dict[str, Pair] = {}
        merged: dict[str, Pair] = {}
        seen: dict[tuple[str, bool], Mark] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(start, event, depth)
            value = self._node(self._next(), depth + 1)
            # The value was read all the same: whatever is wrong in it is told, too.
            if key is None:
                continue
            merges = key.text == "<<" and key.plain
            if first := seen.get((key.text, merges)):
                message = f"the key '{key.text}' is written twice: first at line {first.line}, column {first.column}"
                hint = "merge several as a list: <<: [*one, *two]" if merges else "keep one of them"
                self.found.append(at(key.mark, "duplicate-key", message, hint))
            seen[key.text, merges] = key.mark
            if merges:
                merged = {**self._merge(value), **merged}
            else:
                own[key.text] = (key, value)
        # Merged keys come first, wherever `<<` stands: the order of ports and variables must not hang on it.
        return tuple({**merged, **own}.values())

    def _key(self, start: Any, event: Any, depth: int) -> Scalar | None:
        """Return a key, or None for one that is none; any other that is refused stays, so that its value is judged."""
        key = self._node(event, depth + 1)
        if not isinstance(key, Scalar):
            # To YAML `{{ x }}` is a mapping whose only key is the mapping {x: null}.
            if isinstance(key, MapNode) and start.flow_style and event.start_mark.index == start.start_mark.index + 1:
                self.bare.append(start.start_mark.index)
            else:
                self._complain(event, "bad-key", "a key must be text, not a list or a mapping")
            return None
        if not isinstance(key.value, str):
            message = f"a key must be text, and {key.text or 'an empty one'} is not"
            self.found.append(at(key.mark, "bad-key", message, f'quote it: "{key.text}"'))
        if "{{" in key.text and not key.raw:
            message = "keys are never templates"
            self.found.append(at(key.mark, "bad-key", message, "!raw before it says that this is the key itself"))
        return key

    def _merge(self, value: Node) -> dict[str, Pair]:
        """Return what `<<` brings: of several mappings, the earlier one wins."""
        merged: dict[str, Pair] = {}
        told = {(found.line, found.column) for found in self.found}  # an alias that stands for nothing
        for node in value.items if isinstance(value, ListNode) else (value,):
            if isinstance(node, MapNode):
                merged = {**{key.text: (key, item) for key, item in node.items}, **merged}
            elif (node.mark.line, node.mark.column) not in told:
                self.found.append(at(node.mark, "bad-merge", "`<<` takes a mapping, or a list of mappings"))
        return merged
