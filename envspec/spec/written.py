"""A file as written: read, laid over what it extends, and its keys known ones with names that can be said."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel

from envspec.errors import SpecError
from envspec.spec.base import is_extension, name_error
from envspec.spec.diagnostics import NOT_YET, at, suggest
from envspec.spec.environment_file import EnvironmentFile
from envspec.spec.findings import Findings, growth
from envspec.spec.foreign_keys import FOREIGN
from envspec.spec.layers import is_null, overlay_file
from envspec.spec.nodes import ListNode, MapNode, Mark, Node, Scalar
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.source import read

RUNNING = ("command", "shell", "use", "attach")
"""Keys of which a service needs one. Where none is there but an unknown key is, that one was probably meant."""


def read_layers(file: Path, findings: Findings, above: tuple[Path, ...] = ()) -> MapNode:
    """Return the file laid over the file it extends, and that over the next; a base that is not to be had is noted.

    Raises:
        SpecError: the file itself cannot be read.
    """
    own = read(file, findings.diagnostics)
    extends = own.get("extends")
    if is_null(extends) or extends is None:
        return own
    base = beside(extends, "extends", findings)
    if base is None:
        return own
    chain = (*above, Path(os.path.normpath(file)))
    try:
        return overlay_file(_base_layers(base, extends, findings, chain), own)
    except SpecError as error:
        findings.base_is_missing(error.diagnostics)
        return own


def _base_layers(base: Path, extends: Node, findings: Findings, chain: tuple[Path, ...]) -> MapNode:
    if base in chain:
        circle = " → ".join(str(path) for path in (*chain[chain.index(base) :], base))
        raise SpecError([at(extends.mark, "extends-cycle", f"these files extend one another: {circle}")])
    if not is_file(base):
        raise SpecError(
            [at(extends.mark, "no-such-file", f"there is no file {base}", "extends is relative to this file")]
        )
    return read_layers(base, findings, chain)


def beside(node: Node, what: str, findings: Findings) -> Path | None:
    """Return the path that `node` says, which is relative to the file that wrote it; None where it says none."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.text:
        findings.add(node.mark, "wrong-type", f"{what} is the path of one file")
        return None
    return path_beside(node)


def path_beside(node: Scalar) -> Path:
    """Return the path that `node` says, relative to the file that wrote it."""
    return Path(os.path.normpath(Path(node.mark.file).parent / Path(node.text).expanduser()))


def is_file(path: Path) -> bool:
    """Say whether there is such a file; a path that no file can have is none."""
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def known_keys(node: MapNode, model: type[BaseModel], what: str, findings: Findings) -> MapNode:
    """Return the mapping without keys that `model` does not have; all but null ones and `x-…` are noted."""
    keys = {field.alias or name for name, field in model.model_fields.items()}
    kept = []
    for key, value in node.items:
        if key.text in keys:
            kept.append((key, value))
        elif not is_extension(key.text) and not is_null(value):
            foreign = FOREIGN if model is ServiceSpec else {}
            _note_unknown(key, what, foreign.get(key.text) or suggest(key.text, keys), findings)
    return replace(node, items=tuple(kept))


def _note_unknown(key: Scalar, what: str, hint: str, findings: Findings) -> None:
    if key.text in NOT_YET:
        message = f"`{key.text}` is not in this version of envspec"
        findings.add(key.mark, "not-supported", message, "remove the key")
    else:
        findings.add(key.mark, "unknown-key", f"{what} has no key '{key.text}'", hint)


def named(node: Node | None, what: str, findings: Findings) -> list[tuple[Scalar, Node]]:
    """Return the entries of a mapping from names; names that cannot be said, and what is no mapping, are noted."""
    if node is None or is_null(node):
        return []
    if not isinstance(node, MapNode):
        kind = "a list" if isinstance(node, ListNode) else "text"
        findings.add(node.mark, "wrong-type", f"{what}s are a mapping from names, not {kind}")
        return []
    entries = []
    for key, value in node.items:
        if is_extension(key.text):
            continue
        problem = name_error(what, key.text)
        if problem:
            findings.add(key.mark, "bad-name", problem)
        entries.append((key, value))
    return entries


def top_keys(root: MapNode, findings: Findings) -> MapNode:
    """Return the file's known top keys."""
    return known_keys(root, EnvironmentFile, "an environment", findings)


def service_keys(key: Scalar, node: Node, findings: Findings) -> MapNode:
    """Return a service's known keys; a service that is not a mapping is noted, and taken as an empty one."""
    if isinstance(node, MapNode):
        new = growth(findings)
        kept = known_keys(node, ServiceSpec, f"the service '{key.text}'", findings)
        if new and not any(kept.get(name) for name in RUNNING):
            findings.spoil("commands", key.text)
        return kept
    findings.add(node.mark, "wrong-type", f"the service '{key.text}' must be a mapping of keys")
    findings.spoil("services", key.text)
    return MapNode(node.mark, ())


def empty(mark: Mark) -> MapNode:
    """Return a mapping without keys."""
    return MapNode(mark, ())


def subset(node: MapNode, keys: frozenset[str]) -> MapNode:
    """Return the mapping with only these of its keys."""
    return replace(node, items=tuple(item for item in node.items if item[0].text in keys))
