"""Where keys and their values stand in a text, to the character: what edits need and the tree does not keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from envspec.record import Record
from envspec.spec.composer import events_of
from envspec.spec.nodes import Mark

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class Stretch(Record):
    """A part of a text; `end` is the index behind it."""

    begin: int
    end: int

    def of(self, text: str) -> str:
        """Return what stands there."""
        return text[self.begin : self.end]


class Pair(Record):
    """A key and its value, which is a scalar or an alias. `value` has neither anchor, nor tag, nor white space behind.

    `in_braces` says that they stand in a flow mapping; `is_shared`, that the value has an anchor that is used.
    """

    key: Stretch
    value: Stretch
    in_braces: bool
    is_shared: bool


@dataclass
class _Open:
    """A list or a mapping whose end has not come yet."""

    start: Any
    key: Any = None


def pairs_by_key(text: str, file: str) -> dict[Mark, Pair]:
    """Return every pair of a scalar key and a scalar value or an alias, by where the key stands."""
    events = list(events_of(text))
    used = {event.anchor for event in events if isinstance(event, yaml.AliasEvent)}
    pairs: dict[Mark, Pair] = {}
    for outer, key, value in _scalar_pairs(events):
        mark = Mark(file, key.start_mark.line + 1, key.start_mark.column + 1)
        is_shared = isinstance(value, yaml.ScalarEvent) and value.anchor in used
        pairs[mark] = Pair(_stretch(text, key), _stretch(text, value), bool(outer.flow_style), is_shared)
    return pairs


def _scalar_pairs(events: list[Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield mapping, key and value of each pair of leaves."""
    within: list[_Open] = []
    for event in events:
        if isinstance(event, _ENDS):
            within.pop()
        if isinstance(event, yaml.NodeEvent) and within and isinstance(within[-1].start, yaml.MappingStartEvent):
            outer = within[-1]
            if outer.key is None:
                outer.key = event
            else:
                if isinstance(outer.key, yaml.ScalarEvent) and not isinstance(event, _STARTS):
                    yield outer.start, outer.key, event
                outer.key = None
        if isinstance(event, _STARTS):
            within.append(_Open(event))


def _stretch(text: str, event: Any) -> Stretch:
    begin, end = event.start_mark.index, event.end_mark.index
    properties = None if isinstance(event, yaml.AliasEvent) else _PROPERTIES.match(text, begin, end)
    begin = properties.end() if properties is not None else begin
    return Stretch(begin, begin + len(text[begin:end].rstrip()))
