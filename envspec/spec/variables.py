"""`vars`: values for templates, which may use one another, and which the caller overrides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from envspec.errors import SpecError
from envspec.plan.graph import find_cycles
from envspec.spec.dead_ends import note_dead_ends
from envspec.spec.diagnostics import suggest
from envspec.spec.findings import Findings, growth
from envspec.spec.nodes import MapNode, Mark, Node, plain_data
from envspec.spec.scope import SHAPE, check_names
from envspec.spec.source import parse
from envspec.spec.template import references, render
from envspec.spec.written import named

PREFIX = "ENVSPEC_VAR_"
KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (list, "a list"),
    (dict, "a mapping"),
)


@dataclass
class _Evaluation:
    """Vars are worked out when first asked for, so that they come in the order of their use."""

    nodes: Mapping[str, Node]
    given: Mapping[str, tuple[str, str]]
    environ: Mapping[str, str]
    findings: Findings
    values: dict[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> None:
        """Work out one var, after those that it uses."""
        if name in self.values or ("vars", name) in self.findings.spoiled:
            return
        node = self.nodes[name]
        for other in uses(node, self.nodes):
            self.value(other)
        default, known = self._default(name, node)
        if name in self.given:
            source, text = self.given[name]
            self.values[name] = self._override(source, text, default if known else None, node.mark)
        elif known:
            self.values[name] = default
        else:
            self.findings.spoil("vars", name)

    def _default(self, name: str, node: Node) -> tuple[Any, bool]:
        quietly = Findings(spoiled=self.findings.spoiled) if name in self.given else self.findings
        if quietly.hangs_on_spoiled([node]) or not check_names([node], SHAPE, "vars", quietly):
            return None, False
        new = growth(quietly)
        scope = {"vars": self.values, "env": self.environ, "matrix": {}}
        value = plain_data(render(node, scope, quietly.diagnostics))
        if new:
            note_dead_ends(node, scope, quietly)
        return value, not new

    def _override(self, source: str, text: str, default: Any, mark: Mark) -> Any:
        if isinstance(default, str):
            return text
        try:
            value = plain_data(parse(text, source))
        except SpecError as error:
            for problem in error.diagnostics:
                shown = text.splitlines()[problem.line - 1 : problem.line] or [""]
                hint = "\n".join(filter(None, [shown[0], f"{' ' * (problem.column - 1)}^ here", problem.hint]))
                self.findings.add(mark, problem.code, f"{source}: {problem.message}", hint)
            return default
        if _fits(value, default):
            return value
        is_what = next(words for kind, words in KINDS if isinstance(default, kind))
        self.findings.add(
            mark,
            "wrong-type",
            f"{source}={text}: this var is {is_what} ({_written(default)} here), so {text!r} cannot be its value",
        )
        return default


def evaluate(tree: MapNode, sets: Mapping[str, str], environ: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Return the vars of the file; the caller's are `--set`, then ENVSPEC_VAR_NAME, and take the written type."""
    written = tree.get("vars")
    nodes = {key.text: value for key, value in named(written, "var", findings)}
    for name in sets:
        if name not in nodes:
            hint = suggest(name, nodes) or "declare it under `vars`, with its default"
            findings.add((written or tree).mark, "unknown-var", f"--set {name}: there is no var '{name}'", hint)
    for circle in find_cycles({name: uses(value, nodes) for name, value in nodes.items()}):
        message = f"vars use one another in a circle: {' → '.join(circle)}"
        findings.add(nodes[circle[0]].mark, "cycle", message)
        check_names([nodes[name] for name in circle[1:]], SHAPE, "vars", findings)
        for name in circle:
            findings.spoil("vars", name)
    given = {
        name: (PREFIX + name.upper(), environ[PREFIX + name.upper()])
        for name in nodes
        if PREFIX + name.upper() in environ
    }
    given |= {name: (f"--set {name}", text) for name, text in sets.items()}
    evaluation = _Evaluation(nodes, given, environ, findings)
    for name in nodes:
        evaluation.value(name)
    return {name: evaluation.values[name] for name in nodes if name in evaluation.values}


def uses(node: Node, nodes: Mapping[str, Node]) -> list[str]:
    """Return which vars a var names in its templates."""
    paths = (reference.path for reference in references(node))
    return [str(path[1]) for path in paths if path[0] == "vars" and len(path) > 1 and path[1] in nodes]


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fits(value: Any, default: Any) -> bool:
    if default is None or isinstance(default, bool) or isinstance(value, bool):
        return default is None or type(value) is type(default)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))
