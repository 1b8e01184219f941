"""WEIGHTS: where a model's files come from. A source is one module of this package and one line of `SOURCES`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envspec.models.source import Source


class Sources(Mapping[str, "Source"]):
    """Sources by the key of the file, each imported when it is first asked for: an agent needs one or none of them."""

    def __init__(self, places: Mapping[str, tuple[str, str]]) -> None:
        self._places = places
        self._made: dict[str, Source] = {}

    def __getitem__(self, key: str) -> Source:
        if key not in self._made:
            module, name = self._places[key]
            self._made[key] = getattr(import_module(module), name)()
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


SOURCES = Sources(
    {
        "repo": ("envspec.models.hub.source", "HubSource"),
        "path": ("envspec.models.local", "LocalSource"),
        "synthetic": ("envspec.models.synthetic.source", "SyntheticSource"),
    }
)
"""By the key of the file: `models: {chat: {synthetic: {…}}}`."""
