"""The libraries that the validators of an environment need beside envspec's own: requirements like those it writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from envspec.health import VALIDATORS
from envspec.plan.outline import Requirements
from envspec.spec.environment import Environment
from envspec.spec.nodes import ListNode, MapNode, Node


def requirements(environment: Environment) -> Requirements:
    """Return what the environment requires, with what its validators need.

    Validators are known by their keys, which are never templates; one that a template makes says at its first try
    what is missing.
    """
    requires = environment.requires
    asking = [
        *((service.name, service.tree.get("health")) for service in environment.services.values() if service.enabled),
        ("ready", environment.tree.get("ready")),
    ]
    for who, checks in asking:
        for module, extra in _needs(checks):
            known = requires.needed_by.get(module, ())
            requires = replace(
                requires,
                modules=tuple(dict.fromkeys((*requires.modules, module))),
                extras={module: extra, **requires.extras},
                needed_by={**requires.needed_by, module: tuple(dict.fromkeys((*known, who)))},
            )
    return requires


def _needs(checks: Node | None) -> Iterable[tuple[str, str]]:
    for item in checks.items if isinstance(checks, ListNode) else ():
        for key, _ in item.items if isinstance(item, MapNode) else ():
            if key.text in VALIDATORS and (needed := VALIDATORS[key.text].needs):
                yield needed
