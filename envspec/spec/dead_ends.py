"""References that lead nowhere, also in branches of templates which this rendering did not take.

`{{ endpoints.htp if vars.tls }}` renders well while `vars.tls` is false, and fails on the day when it is not. A
rendering tells the first mistake of an expression alone; here all its paths are followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envspec.spec.diagnostics import suggest
from envspec.spec.findings import Findings
from envspec.spec.nodes import Node
from envspec.spec.scope import LANGUAGE
from envspec.spec.template import Reference, Unavailable, references

DEPTHS = {"vars": 2, "inputs": 2, "models": 2, "env": 1, "matrix": 1, "project": 1}
"""How far a path is followed: below a var or an input there may be other keys with another value, and the caller's
environment is different elsewhere. Whatever is not named here is followed to its end."""
BUILT_IN = frozenset({"range", "dict", "namespace"})


def note_dead_ends(node: Node, names: Mapping[str, Any], findings: Findings) -> None:
    """Note paths in a tree of templates that lead nowhere whatever the values are.

    What the rendering noted of them stands in the same place in the same words, and is so told once.
    """
    for reference in references(node):
        unjudged = reference.path[0] in BUILT_IN or findings.is_spoiled(reference.path)
        elsewhere = reference.path[0] in LANGUAGE and reference.path[0] not in names
        if not (reference.guarded or unjudged or elsewhere):
            _follow(reference, names, findings)


def _follow(reference: Reference, names: Mapping[str, Any], findings: Findings) -> None:
    value: Any = names
    steps = reference.path[: DEPTHS.get(str(reference.path[0]), len(reference.path))]
    for count, step in enumerate(steps):
        if isinstance(value, Unavailable) or not isinstance(value, Mapping):
            return  # a disabled service, a list: whether there is something depends on the values
        if step not in value:
            said = f"{'.'.join(map(str, steps[:count]))} has no '{step}'" if count else f"there is no '{step}' here"
            findings.add(reference.mark_of(count), "template", said, suggest(str(step), map(str, value)))
            return
        # Reading the last step of a model's path would count as a use of the model.
        value = value[step] if count + 1 < len(steps) else None
