"""An environment with its ports: every template rendered, every service a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from envspec.errors import Diagnostic
from envspec.plan.fault import Fault
from envspec.plan.plan import Bindings, Check, Condition, ModelPlan, Plan
from envspec.plan.redact import secret_vars
from envspec.resolve.bindings import stand_in
from envspec.resolve.checks import Asker, checks_of, sound_items
from envspec.resolve.faults import faults_of
from envspec.resolve.nul_characters import note_nul
from envspec.resolve.scope import World, world_of
from envspec.resolve.services import Resolved, resolve_service
from envspec.resolve.texts import checks as check_texts
from envspec.resolve.texts import texts
from envspec.spec.base import part_of
from envspec.spec.blame import of_each
from envspec.spec.entry_check import environment_of, is_entry
from envspec.spec.environment import Environment, Service
from envspec.spec.environment_file import EnvironmentFile
from envspec.spec.findings import Findings, once_for_all
from envspec.spec.layers import is_null
from envspec.spec.load import examine, examine_tree
from envspec.spec.nodes import ListNode, MapNode, Mark, Node
from envspec.spec.rendering import Scope, render_node
from envspec.spec.scope import TOP_TEXT
from envspec.spec.validator_spec import ValidatorSpec


def resolve(environment: Environment, bindings: Bindings, environ: Mapping[str, str]) -> Plan:
    """Return the plan of an environment for what was leased.

    Raises:
        SpecError: with everything that is wrong with its texts, in the order of the file.
    """
    findings = Findings()
    plan = draft(environment, bindings, environ, findings)
    findings.raise_if_any()
    return plan


def check(file: Path, *, sets: Mapping[str, str] | None = None, environ: Mapping[str, str]) -> list[Diagnostic]:
    """Return everything that is wrong with a file, in its order; an empty list when it is good. Runs nothing.

    The file is an environment, or a catalog entry, which is checked with the defaults of its inputs.
    """
    findings = Findings()
    if is_entry(file):
        root = environment_of(file, findings)
        environment = examine_tree(root, file, {}, environ, findings) if root is not None else None
    else:
        environment = examine(file, sets or {}, environ, findings)
    if environment is not None:
        draft(environment, stand_in(environment), environ, findings)
    return findings.in_order()


def draft(environment: Environment, bindings: Bindings, environ: Mapping[str, str], findings: Findings) -> Plan:
    """Return as much of the plan as can be made, with what is wrong noted; spoiled services are left out."""
    world = world_of(environment, bindings, environ)
    top = _top_env(world, findings)
    enabled = {name: service for name, service in environment.services.items() if service.enabled}
    made = of_each(enabled, lambda service: resolve_service(service, top, world, findings), findings)
    resolved = {name: one for name, one in made.items() if one is not None}
    conditions = once_for_all(enabled, lambda service: _conditions(service, environment, resolved, findings), findings)
    services = tuple(replace(one.plan, depends_on=conditions[name]) for name, one in resolved.items())
    return Plan(
        environment=environment.name,
        file=str(environment.file),
        directory=str(environment.directory),
        project=str(environment.project),
        description=environment.description,
        services=services,
        models=tuple(_models(environment, bindings)),
        ready=_ready(world, findings),
        start_timeout=environment.start_timeout,
        faults=_faults(world, findings),
        secret_vars=tuple(secret_vars(environment.vars)),
    )


def _top_env(world: World, findings: Findings) -> dict[str, str | None]:
    """Return the environment's own `env`, which all services have."""
    spec, _ = _top_key("env", world, findings)
    return spec.env if spec is not None else {}


def _ready(world: World, findings: Findings) -> tuple[Check, ...]:
    spec, node = _top_key("ready", world, findings)
    if node is None:
        return ()
    items = spec.ready if spec is not None else sound_items(ValidatorSpec, node)
    return checks_of("ready", items, node, Asker("ready"), world, findings)


def _faults(world: World, findings: Findings) -> tuple[Fault, ...]:
    _, node = _top_key("faults", world, findings)
    return faults_of(node, world.environment, findings) if node is not None else ()


def _top_key(key: str, world: World, findings: Findings) -> tuple[EnvironmentFile | None, Node | None]:
    """Return a top key that waits for ports, rendered: as a spec that has this key alone, and as a node."""
    tree = world.environment.tree
    name, node = tree.key(key), tree.get(key)
    if name is None or node is None or is_null(node):
        return None, None
    rendered = render_node(key, node, Scope(TOP_TEXT, world.names()), findings)
    if rendered is None:
        return None, None
    rendered = texts(rendered) if key == "env" else check_texts(rendered)
    part = MapNode(tree.mark, ((name, rendered),))
    note_nul(part, findings)
    return findings.validated(part_of(EnvironmentFile, key), part), rendered


def _models(environment: Environment, bindings: Bindings) -> Iterator[ModelPlan]:
    for name, model in environment.models.items():
        path, commit = bindings.models.get(name, ""), bindings.commits.get(name, "")
        served, source, options = model.served_name, model.source, model.options
        yield ModelPlan(name, served, source, options, path, model.preload, commit, model.warm, model.position)


def _conditions(
    service: Service, environment: Environment, resolved: Mapping[str, Resolved], findings: Findings
) -> dict[str, Condition]:
    """Return what is awaited of whom, defaults filled in; what can never come is noted."""
    conditions: dict[str, Condition] = {}
    for name, condition in service.depends_on.items():
        other = environment.services[name]
        validated, is_task = _is_validated(other, resolved), other.kind == "task"
        conditions[name] = condition or ("healthy" if validated else "succeeded" if is_task else "started")
        if condition == "healthy" and not validated:
            message = f"{service.name} waits for '{name}' to be healthy, and {name} has no validator"
            otherwise = "succeeded" if is_task else "started"
            hint = f"give {name} a health:, or wait for '{otherwise}'"
            findings.add(_where(service, name), "no-validator", message, hint)
        if ("services", name) in findings.spoiled:
            continue  # what it is may be what is wrong
        if condition in ("exited", "succeeded") and not is_task:
            message = f"{service.name} waits for '{name}' to have {condition}, and {name} is a service, which runs on"
            hint = f"give {name} kind: task, or wait for '{'healthy' if validated else 'started'}'"
            findings.add(_where(service, name), "never-ends", message, hint)
    return conditions


def _is_validated(service: Service, resolved: Mapping[str, Resolved]) -> bool:
    """Say whether a service has validators, or may have: of one that is wrong, by what it says unrendered."""
    if service.name in resolved:
        return resolved[service.name].validated
    written = service.tree.get("health")
    return not service.shaped or not (is_null(written) or (isinstance(written, ListNode) and not written.items))


def _where(service: Service, name: str) -> Mark:
    """Return where a service says that it waits for another."""
    node = service.tree.get("depends_on")
    if isinstance(node, MapNode):
        key = node.key(name)
        if key is not None:
            return key.mark
    return node.mark if node is not None else service.mark
