"""WEIGHTS: where a model's files come from. A source is one module of this package and one line of `SOURCES`."""

from __future__ import annotations

from envspec.models.hub.source import HubSource
from envspec.models.local import LocalSource
from envspec.models.source import Source
from envspec.models.synthetic.source import SyntheticSource

SOURCES: dict[str, Source] = {
    "repo": HubSource(),
    "path": LocalSource(),
    "synthetic": SyntheticSource(),
}
"""By the key of the file: `models: {chat: {synthetic: {…}}}`."""
