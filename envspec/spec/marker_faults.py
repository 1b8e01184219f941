"""Faults as a test's marker gives them: the same as in a file, but that they may count from the test's own begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envspec.errors import UsageError
from envspec.plan.fault import Fault
from envspec.spec.fault_spec import FaultSpec, problems
from envspec.spec.findings import Findings
from envspec.spec.nodes import MapNode, Mark, node_of

NOWHERE = Mark("", 1, 1)


def marker_faults(written: Any, services: Mapping[str, tuple[str, ...]]) -> list[Fault]:
    """Return the faults of a marker. `services` are the replicas of each service of the environment.

    Raises:
        UsageError: something is wrong with them; says all of it, a line for each.
    """
    wrong: list[str] = []
    faults = []
    for index, item in enumerate(written):
        where, findings = f"faults[{index}]", Findings()
        node = node_of(item, NOWHERE)
        fault = findings.validated(FaultSpec, node) if isinstance(node, MapNode) else None
        for problem in problems(fault, services, ()) if fault is not None else ():
            findings.add(NOWHERE, problem.code, problem.message, problem.hint)
        wrong += [_line(where, found.message, found.hint) for found in findings.diagnostics]
        if fault is not None and not findings:
            faults.append(Fault(fault.after, fault.order, fault.for_, where))
    if wrong:
        raise UsageError("\n".join(wrong))
    return faults


def _line(where: str, message: str, hint: str) -> str:
    return f"{where}: {message}{f' ({hint})' if hint else ''}"
