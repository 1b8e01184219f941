"""Catalog entries: where they are found, and reading one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from envspec.errors import Diagnostic, SpecError
from envspec.spec.base import part_of
from envspec.spec.catalog_entry import CatalogEntry, InputSpec
from envspec.spec.diagnostics import at, suggest
from envspec.spec.environment import Entry
from envspec.spec.findings import Findings
from envspec.spec.nodes import MapNode, Mark, Node, Scalar, node_at, plain_data
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.source import read
from envspec.spec.template import render
from envspec.spec.template_values import kind
from envspec.spec.written import beside, is_file, known_keys, named, subset

SHIPPED = Path(__file__).parent.parent / "catalog"
STATIC_KEYS = frozenset({"version", "description", "extra"})
"""Keys of an entry that are read as they are written; of these, `extra` alone may be a template."""
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "text"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "map": ((dict,), "a mapping"),
    "model": ((str,), "the name of a model"),
    "service": ((str,), "the name of a service"),
}
"""Types of inputs: the values that they take, and what those are called."""


def shipped_names() -> list[str]:
    """Return the names of the entries that come with envspec."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def extra_for(command: str) -> str:
    """Return the extra of envspec that provides a command which a shipped entry requires; empty for any other."""
    for name in shipped_names():
        written = read(SHIPPED / f"{name}.yaml")
        entry = plain_data(written)
        if command in entry.get("requires", {}).get("commands", ()):
            return _extra_by_default(written.get("extra"), entry.get("inputs", {}))
    return ""


def _extra_by_default(extra: Node | None, inputs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return an entry's extra as it is where nobody gives its inputs."""
    defaults = {name: spec.get("default") for name, spec in inputs.items()}
    rendered = render(extra, {"inputs": defaults}, []) if extra is not None else None
    return rendered.text if isinstance(rendered, Scalar) and rendered.value is not None else ""


class Catalog:
    """The entries that one environment uses, each read once."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self._entries: dict[Path, Entry | None] = {}

    def entry(self, use: Node) -> Entry | None:
        """Return the entry that `use` names, with what is wrong with it noted; None where that leaves nothing of it."""
        path = self._path(use)
        if path is None:
            return None
        if path not in self._entries:
            before = len(self.findings.diagnostics)
            try:
                entry = read_entry(path, self.findings)
            except SpecError as error:
                self.findings.diagnostics.extend(error.diagnostics)
                entry = None
            self._entries[path] = entry
            if entry is None or (entry.faulty and entry.file != use.mark.file):
                self.findings.diagnostics[before:] = _with_user(self.findings.diagnostics[before:], use.mark)
        return self._entries[path]

    def _path(self, use: Node) -> Path | None:
        name = use.value if isinstance(use, Scalar) else None
        if not isinstance(name, str):
            written = f"{kind(name)} ({use.text})" if isinstance(use, Scalar) else kind(plain_data(use))
            hint = "the name of an entry, or a path such as ./my-entry.yaml"
            self.findings.add(use.mark, "wrong-type", f"'use' must be text, not {written}", hint)
            return None
        if "/" in name or name.endswith((".yaml", ".yml")):
            path = beside(use, "use", self.findings)
            if path is None or is_file(path):
                return path
            self.findings.add(use.mark, "no-such-file", f"there is no file {path}", "a path is relative to this file")
            return None
        if name in shipped_names():
            return SHIPPED / f"{name}.yaml"
        hint = suggest(name, shipped_names()) or "an entry of your own is a path, such as ./my-entry.yaml"
        self.findings.add(use.mark, "unknown-entry", f"the catalog has no entry {name!r}", hint)
        return None


def _with_user(found: Iterable[Diagnostic], use: Mark) -> list[Diagnostic]:
    """Return what keeps an entry from being used with the place that wants it read; one that is none is told there."""
    told = []
    for one in found:
        if one.code == "no-entry":
            told.append(at(use, one.code, f"{one.file} {one.message.removeprefix('this ')}", one.hint))
        else:
            user = f"used at {use.file}:{use.line}:{use.column}"
            told.append(replace(one, hint=f"{one.hint}\n{user}" if one.hint else user))
    return told


def read_entry(path: Path, findings: Findings) -> Entry | None:
    """Read one entry; None where what is wrong with it leaves nothing to go on with.

    Raises:
        SpecError: it is no YAML mapping.
    """
    written = read(path, findings.diagnostics)
    if written.get("services") is not None and written.get("service") is None:
        hint = "an entry has the key 'service'; to build on an environment, `extends` it"
        findings.add(written.mark, "no-entry", "this is an environment, not a catalog entry", hint)
        return None
    root = known_keys(written, CatalogEntry, "a catalog entry", findings)
    literals = subset(root, STATIC_KEYS)
    service = root.get("service")
    if not isinstance(service, MapNode):
        findings.add(root.mark, "no-entry", "this is no catalog entry: it needs the key 'service', a mapping")
        return None
    known = _service(service, findings)
    faulty: set[str] = set()
    declared = {
        key.text: _input(key, node, faulty, findings) for key, node in named(root.get("inputs"), "input", findings)
    }
    spec = findings.validated(part_of(CatalogEntry, *sorted(STATIC_KEYS)), literals)
    inputs = {name: declared_input for name, declared_input in declared.items() if declared_input is not None}
    requires = root.get("requires")
    return Entry(
        name=path.stem,
        file=root.mark.file,
        extra=root.get("extra"),
        description=spec.description if spec is not None else "",
        inputs=inputs,
        requires=requires if isinstance(requires, MapNode) else None,
        service=known,
        faulty=frozenset(faulty),
    )


def _service(node: MapNode, findings: Findings) -> MapNode:
    kept = known_keys(node, ServiceSpec, "a service", findings)
    for banned in ("use", "with"):
        key = kept.key(banned)
        if key is not None:
            findings.add(key.mark, "nested-use", "a catalog entry does not use another entry", f"remove '{banned}'")
    return replace(kept, items=tuple(item for item in kept.items if item[0].text not in ("use", "with")))


def _input(key: Scalar, node: Node, faulty: set[str], findings: Findings) -> InputSpec | None:
    """Return what an input may be, None where that is not said; of one that is `faulty`, nothing else is judged."""
    faulty.add(key.text)
    if not isinstance(node, MapNode):
        findings.add(node.mark, "wrong-type", f"the input '{key.text}' must be a mapping", "such as {type: string}")
        return None
    spec = findings.validated(InputSpec, node)
    if spec is None:
        return None
    # Beside a choice that is none for its type, a default that is one of them need not be looked at.
    if _wrong_choices(key, node, spec, findings) or spec.default is None or _default_fits(key, node, spec, findings):
        faulty.remove(key.text)
        return spec
    return spec.model_copy(update={"default": None})


def _wrong_choices(key: Scalar, node: MapNode, spec: InputSpec, findings: Findings) -> bool:
    """Note choices that are no values for the input's type; return whether there are any."""
    free = spec.model_copy(update={"choices": None})
    wrong = [
        (index, problem) for index, choice in enumerate(spec.choices or ()) if (problem := input_error(free, choice))
    ]
    for index, problem in wrong:
        choice = node_at(node, ("choices", index))[0]
        hint = f'quote it: "{choice.text}"' if spec.type == "string" and isinstance(choice, Scalar) else ""
        findings.add(choice.mark, "wrong-type", f"a choice of input '{key.text}' {problem}", hint)
    return bool(wrong)


def _default_fits(key: Scalar, node: MapNode, spec: InputSpec, findings: Findings) -> bool:
    """Tell whether the default is a value for the input; one that is none is noted."""
    written = node.get("default")
    problem = input_error(spec, spec.default if not isinstance(written, Scalar) else value_for(spec, written))
    if problem:
        findings.add((written or node).mark, "wrong-type", f"the default of input '{key.text}' {problem}")
    return not problem


def value_for(spec: InputSpec, node: Node) -> Any:
    """Return what a rendered node says to an input: text as written where the input is a string, else its value."""
    if spec.type in ("string", "model", "service") and isinstance(node, Scalar) and node.value is not None:
        return node.text
    return plain_data(node)


def input_error(spec: InputSpec, value: Any) -> str:
    """Return why a value is not one for the input, or nothing."""
    types, what = KINDS[spec.type]
    if not isinstance(value, types) or (isinstance(value, bool) and spec.type != "bool"):
        return f"must be {what}, not {value!r}"
    if spec.choices is not None and value not in spec.choices:
        return f"must be one of {', '.join(map(str, spec.choices))}, not {value!r}"
    return ""
