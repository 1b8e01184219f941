"""Everything wrong that was found so far, and what must not be judged because of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from envspec.errors import Diagnostic, SpecError
from envspec.record import Record
from envspec.spec.diagnostics import at
from envspec.spec.nodes import MapNode, Mark, Node, plain_data
from envspec.spec.template import references

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
R = TypeVar("R")

CERTAIN = frozenset(
    (
        "unknown-key",
        "bad-name",
        "bad-path",
        "wrong-type",
        "wrong-value",
        "out-of-scope",
        "not-supported",
        "nul-character",
        "bad-pattern",
        "bad-template",
        "too-deep",
        "command-and-shell",
        "unknown-entry",
        "no-entry",
        "nested-use",
        "unknown-input",
        "wrong-input",
        "no-such-file",
        "bad-env-file",
        "args-and-shell",
        "waits-twice",
        "wrong-call",
        "wrong-source",
        "unknown-function",
    )
)
"""What is wrong whatever a lower layer says. A name that is nowhere, or a key that is missing, may stand in that."""
CERTAIN_AS_WRITTEN = CERTAIN | {"choose-one", "missing-key", "unused-key"}
"""What is wrong whatever a lower layer says where nothing of this one is lacking: what has such keys is not merged."""

INCOMPLETE = ("bad-merge", "unknown-anchor", "recursive-alias")
"""What is wrong with the YAML and leaves a tree that lacks something, of which is told only what is certain."""
YAML_CODES = ("bad-key", "unknown-tag", "duplicate-key", "unquoted-template", *INCOMPLETE)
"""What is wrong with the YAML and leaves a tree to judge all the same."""


@dataclass
class Findings:
    """Collects diagnostics instead of raising the first.

    What could not be worked out (a var, a service's shape) is `spoiled`; whatever names it is then left unjudged, so
    that one mistake is told once and not again wherever its result would have been used.
    """

    diagnostics: list[Diagnostic] = field(default_factory=list)
    spoiled: set[tuple[str, ...]] = field(default_factory=set)
    _base_missing_since: int | None = None
    _here: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.diagnostics)

    def add(self, mark: Mark, code: str, message: str, hint: str = "") -> None:
        """Note what is wrong at `mark`."""
        self.diagnostics.append(at(mark, code, message, hint))

    def spoil(self, *path: str) -> None:
        """Note that what templates call `path` (`vars`, `workers`) could not be worked out."""
        self.spoiled.add(path)

    def sparing(self, paths: Iterable[tuple[str, ...]]) -> Findings:
        """Return findings that note in the same place, and leave unjudged what names one of these paths as well."""
        return replace(self, spoiled=self.spoiled | set(paths))

    def hangs_on_spoiled(self, nodes: Iterable[Node]) -> bool:
        """Say whether a template of these trees names something that could not be worked out."""
        if not (self.spoiled or self._here):
            return False
        return any(self.is_spoiled(reference.path) for node in nodes for reference in references(node))

    def is_spoiled(self, path: tuple[str | int, ...]) -> bool:
        """Say whether a path names something that could not be worked out, or that a missing base may hold."""
        if len(path) > 1 and path[0] in self._here and path[1] not in self._here[str(path[0])]:
            return True
        # A path that ends early (`vars` as a whole, or an index that is computed) may name anything below it.
        return any(path[: len(bad)] == bad[: len(path)] for bad in self.spoiled)

    def validated(self, model: type[M], node: MapNode, data: Mapping[str, Any] | None = None) -> M | None:
        """Return `node` as a `model`, or None when it is not one, with the reasons noted."""
        try:
            return model.model_validate(plain_data(node) if data is None else data)
        except ValidationError as error:
            # Imported here, since most files are right and never need it.
            from envspec.spec.validation_errors import diagnostics_of

            self.diagnostics.extend(diagnostics_of(error, node, model))
            return None

    def base_is_missing(self, why: Iterable[Diagnostic]) -> None:
        """Note why a file cannot be laid over its base; of what is found from now on, only what is certain is told."""
        self.diagnostics.extend(why)
        self._base_missing_since = len(self.diagnostics)

    def judge_within(self, root: MapNode) -> None:
        """Leave unjudged what names a var, a model or a service that is not in `root`, where its base is missing."""
        if self._base_missing_since is not None:
            written = {key: root.get(key) for key in ("vars", "models", "services")}
            self._here = {
                key: frozenset(name.text for name, _ in node.items) if isinstance(node, MapNode) else frozenset()
                for key, node in written.items()
            }

    def in_order(self) -> list[Diagnostic]:
        """Return what was found by file and position, each finding once."""
        # What became of a mistake in the YAML is told by it alone.
        yaml = {(d.file, d.line, d.column) for d in self.diagnostics if d.code in YAML_CODES}
        found = {d for d in self.diagnostics if d.code in YAML_CODES or (d.file, d.line, d.column) not in yaml}
        told = self.diagnostics[: self._base_missing_since or 0]
        lacking = any(d.code in INCOMPLETE for d in found)
        if self._base_missing_since is not None or lacking:
            certain = CERTAIN if lacking else CERTAIN_AS_WRITTEN
            found = {d for d in found if d.code in certain or d.code in YAML_CODES or d in told}
        return sorted(found, key=lambda d: (d.file, d.line, d.column, d.message))

    def raise_if_any(self) -> None:
        """Raise SpecError with all of it, where something was found."""
        if self.diagnostics:
            raise SpecError(self.in_order())


class Growth(Record):
    """Whether anything was found since a moment: `new = growth(findings); …; if new: …`."""

    findings: Findings
    before: int

    def __bool__(self) -> bool:
        return len(self.findings.diagnostics) > self.before


def growth(findings: Findings) -> Growth:
    """Remember how much was found until now; the result is true once there is more."""
    return Growth(findings, len(findings.diagnostics))


def once_per_place(items: Iterable[T], make: Callable[[T], R], findings: Findings) -> list[R]:
    """Return what `make` makes of each item, such as a replica.

    What one of them has wrong where an earlier one had the same kind of mistake is not told again: replicas share
    the text that is wrong, and differ in the values that it came to.
    """
    told: set[tuple[str, int, int, str]] = set()
    made = []
    for item in items:
        before = len(findings.diagnostics)
        made.append(make(item))
        new = {one: (one.file, one.line, one.column, one.code) for one in findings.diagnostics[before:]}
        findings.diagnostics[before:] = [one for one, place in new.items() if place not in told]
        told.update(new.values())
    return made


def once_for_all(items: Mapping[str, T], make: Callable[[T], R], findings: Findings) -> dict[str, R]:
    """Return what `make` makes of each item by its name, such as a service.

    What is told in the same place as of an earlier one, in words that differ in their names alone, is not told again:
    it stands in text that they share, by a YAML anchor.
    """
    told: dict[tuple[str, int, int, str], list[tuple[str, Diagnostic]]] = {}
    made = {}
    for name, item in items.items():
        before = len(findings.diagnostics)
        made[name] = make(item)
        new, findings.diagnostics[before:] = findings.diagnostics[before:], []
        for one in new:
            said = told.setdefault((one.file, one.line, one.column, one.code), [])
            if not any(_same_but_for(other, name, earlier, one) for other, earlier in said):
                said.append((name, one))
                findings.diagnostics.append(one)
    return made


def _same_but_for(first: str, second: str, of_first: Diagnostic, of_second: Diagnostic) -> bool:
    """Say whether what is told of two that bear these names is the same where it does not name them."""
    words, others = (re.split(r"\b", found.message) for found in (of_first, of_second))
    return len(words) == len(others) and all(
        word == other or (word, other) == (first, second) for word, other in zip(words, others, strict=True)
    )
