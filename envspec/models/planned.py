"""A plan's model, as JSON: its source, and what is known of it on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from envspec.errors import ModelUnavailableError
from envspec.models import SOURCES
from envspec.models.source import Found, Host, Source


class Planned(NamedTuple):
    """Whom to ask for a model, and what to ask."""

    source: Source
    options: Any


def planned(model: Mapping[str, Any]) -> Planned:
    """Return the source of a model; where its commit is known, that is the revision to ask for.

    Raises:
        ModelUnavailableError: the source or one of its options is unknown.
    """
    name = model["source"]
    if name not in SOURCES:
        raise ModelUnavailableError(f"there is no source {name!r}", hint=f"known: {', '.join(SOURCES)}")
    pinned = {"revision": model["commit"]} if model.get("commit") else {}
    try:
        return Planned(SOURCES[name], SOURCES[name].options(**{**model["options"], **pinned}))
    except (TypeError, ValueError) as error:
        raise ModelUnavailableError(str(error)) from error


def look(model: Mapping[str, Any], host: Host) -> Found:
    """Return what this machine alone knows of a model.

    Raises:
        ModelUnavailableError: the source or one of its options is unknown.
    """
    source, options = planned(model)
    return source.find(options, host)
