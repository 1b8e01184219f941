"""Which model is meant: a name that was declared, a path, or a repository of the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from envspec.errors import UsageError
from envspec.models import SOURCES
from envspec.models.hub.options import is_repository
from envspec.record import Record

OF_SERVICES = {"name", "preload", "warm"}
"""Keys of a declared model that concern the services of an environment, and nobody who loads it."""
_PATH = re.compile(r"[/~]|\.\.?(/|$)")


class Reference(Record):
    """A model as a source knows it. `name` is what the caller said."""

    name: str
    source: str
    options: Any

    @property
    def key(self) -> str:
        """The same text for the same files."""
        return json.dumps([self.source, asdict(self.options)], sort_keys=True)


def reference(model: str | Path, declared: Mapping[str, Mapping[str, Any]], revision: str | None = None) -> Reference:
    """Return what `model` means. A declared name comes first, then a path that is there, then a repository.

    Raises:
        UsageError: it can be none of these, or what is declared is wrong.
    """
    _check(model, revision)
    name = str(model)
    if isinstance(model, str) and name in declared:
        written = dict(declared[name])
    elif isinstance(model, Path) or _PATH.match(name) or Path(name).is_dir():
        written = {"path": str(Path(name).expanduser().absolute())}
    else:
        written = {"repo": _repository(name, declared)}
    if revision and "repo" not in written:
        raise UsageError(f"the model {name} has no revisions", hint="only repositories of the hub have them")
    return _read(name, {**written, "revision": revision} if revision else written)


def _check(model: object, revision: object) -> None:
    """See that callers without a type checker gave texts that say something."""
    wanted = "give a repository as org/name, a path, or a name that is declared"
    if not isinstance(model, str | Path):
        raise UsageError(f"a model is named by a text or a path, not by {model!r}", hint=wanted)
    if isinstance(model, str) and not model.strip():
        raise UsageError("the name of the model is empty", hint=wanted)
    if revision is not None and not isinstance(revision, str):
        raise UsageError(f"a revision is a text, not {revision!r}", hint="a branch, a tag or a commit")
    if revision is not None and not revision.strip():
        raise UsageError("revision is empty", hint="leave it out, or name a branch, a tag or a commit")


def _repository(name: str, declared: Mapping[str, Any]) -> str:
    alike = get_close_matches(name, declared, 1)
    if is_repository(name) and not alike:
        return name
    known = f"declared: {', '.join(declared)}" if declared else "write a repository as org/name, a path as ./directory"
    raise UsageError(f"there is no model {name!r}", hint=f"did you mean {alike[0]!r}?" if alike else known)


def _read(name: str, written: Mapping[str, Any]) -> Reference:
    sources = [source for source in SOURCES if source in written]
    if len(sources) != 1:
        raise UsageError(
            f"the model {name} must have exactly one source, not {len(sources)}", hint=f"one of {', '.join(SOURCES)}"
        )
    [source] = sources
    kind = SOURCES[source].options
    own = {field.name for field in fields(kind)}
    rest = {key: value for key, value in written.items() if key not in OF_SERVICES}
    options = rest if source in own else rest.pop(source) | rest
    try:
        return Reference(name, source, kind(**{key: _frozen(value) for key, value in options.items()}))
    except (TypeError, ValueError) as error:
        reason = str(error).partition("__init__() ")[2] or str(error)
        raise UsageError(f"the model {name}: {reason}", hint=f"{source} takes {', '.join(sorted(own))}") from error


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
