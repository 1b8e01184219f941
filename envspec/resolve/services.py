"""One service, from its tree of templates to its plan: rendered for each replica, validated, and its parts put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from envspec.plan.plan import Check, Endpoint, Liveness, ReplicaPlan, Restart, ServicePlan, Stop
from envspec.record import Record
from envspec.resolve import environ
from envspec.resolve.checks import Asker, checks_of, sound_items
from envspec.resolve.contradictions import note_bad_names, note_contradictions
from envspec.resolve.nul_characters import note_nul
from envspec.resolve.scope import Watched, World, replica_directory
from envspec.resolve.texts import as_service
from envspec.spec import inputs
from envspec.spec.declared import extra_of
from envspec.spec.environment import Service
from envspec.spec.findings import Findings, once_per_place
from envspec.spec.inputs import Surroundings
from envspec.spec.layers import without_nulls
from envspec.spec.nodes import MapNode, Mark, Node, node_at, plain_data
from envspec.spec.reading import read_bytes
from envspec.spec.rendering import Scope, Scopes, render_keys
from envspec.spec.scope import ENTRY_TEXT, OWN, TEXT, TOP_TEXT
from envspec.spec.service_spec import ServiceSpec
from envspec.spec.shape import SHAPED
from envspec.spec.sound_part import sound_part
from envspec.spec.validator_spec import ActionSpec, ValidatorSpec

DEFAULT_START_TIMEOUT = 60.0  # seconds; what Dynamo, etcd and NATS need is two, an engine's file says more
BASH = ("bash", "-eo", "pipefail", "-c")
RUN_KEYS = frozenset({"command", "args", "shell", "cwd", "env", "env_file", "files", "inherit_env", "unset_env"})
"""Keys that say how a process is run; an attached service has none."""


class Resolved(Record):
    """A service's plan, and whether it has validators, or has them where what could not be rendered is right."""

    plan: ServicePlan
    validated: bool


def resolve_service(
    service: Service, top: Mapping[str, str | None], world: World, findings: Findings
) -> Resolved | None:
    """Return a service's plan, all but the conditions of `depends_on`; None where something is wrong with it."""
    making = Making(world, top, Watched(world.models), findings)
    if ("services", service.name) in findings.spoiled:
        # Its shape is wrong: what does not hang on that is judged nevertheless, so that all is told at once.
        own = ("service",) if service.shaped else OWN  # how many replicas there are, or all of it
        making = replace(making, findings=findings.sparing((name,) for name in own))
    rendered = once_per_place(
        range(len(service.replica_names())), lambda index: _rendered(service, index, making), findings
    )
    # Only now is it known which models the service uses, which is said by the templates of all its replicas.
    needed = frozenset(making.models.read | set(service.models))
    making = replace(making, needed=needed, hint=_hint(service, making))
    planned = once_per_place(enumerate(rendered), lambda one: _replica(service, one[0], *one[1], making), findings)
    pairs = [pair for pair in planned if pair is not None]
    if len(pairs) < len(planned) or not pairs:
        return None
    spec = pairs[0][1]
    plan = ServicePlan(
        name=service.name,
        kind=service.kind,
        replicas=tuple(replica for replica, _ in pairs),
        models=tuple(name for name in world.models if name in making.needed),
        start=service.start,
        restart=Restart(spec.restart.on, spec.restart.max),
        attached=service.attached is not None,
        description=service.description,
    )
    return Resolved(plan, bool(spec.health) or "health" in rendered[0][1])


class Making(Record):
    """What the replicas of a service are made with. `top` is the environment's own `env`, rendered.

    `models` remembers which of them templates read; `needed` are those and what the service lists. `hint` is how to
    get its command.
    """

    world: World
    top: Mapping[str, str | None]
    models: Watched
    findings: Findings
    needed: frozenset[str] = frozenset()
    hint: str = ""


def _replica(
    service: Service, index: int, tree: MapNode, failed: set[str], making: Making
) -> tuple[ReplicaPlan, ServiceSpec] | None:
    world, findings = making.world, making.findings
    name = service.replica_names()[index]
    spec = findings.validated(ServiceSpec, tree)
    checks = _checks(service, index, spec, tree, making)
    note_bad_names(tree, findings)
    note_nul(tree, findings)
    part, wrong = (spec, frozenset[str]()) if spec is not None else sound_part(ServiceSpec, plain_data(tree))
    if part is None or not service.shaped:
        return None
    note_contradictions(service, part, tree, failed | wrong, findings)
    variables, spoken = _environment(part, tree, making)
    if spec is None or ("services", service.name) in findings.spoiled:
        return None
    directory = replica_directory(world.bindings, name)
    plan = ReplicaPlan(
        name=name,
        service=service.name,
        index=index,
        host=world.services[service.name]["replicas"][index]["host"],
        dir=directory,
        log=f"{world.bindings.directory}/logs/{name}.log",
        argv=_argv(spec) if service.attached is None else (),
        env=variables,
        spoken_env=spoken,
        cwd=spec.cwd or directory,
        files=spec.files,
        ports={port: tuple(e.port for e in block) for port, block in world.endpoints[name].items()},
        endpoints=world.endpoints[name],
        relayed=world.relayed[name],
        release=_released(service, world.listening(name)),
        liveness=Liveness(float(spec.liveness.every), spec.liveness.failures) if spec.liveness else None,
        start_timeout=float(spec.start_timeout or world.environment.start_timeout or DEFAULT_START_TIMEOUT),
        stop=Stop(spec.stop.signal, float(spec.stop.timeout)),
        reset_restarts=spec.reset == "restart",
        position=service.position,
        hint=making.hint,
        **checks,
    )
    return plan, spec


def _rendered(service: Service, index: int, making: Making) -> tuple[MapNode, set[str]]:
    """Return the keys that wait for ports, rendered for one replica, and those that could not be."""
    world, findings = making.world, making.findings
    own = world.own_names(service, index)
    names = {**world.names(), "models": making.models, **own}
    caller = Scope(TEXT, names)
    scopes, sparing = Scopes(caller), findings
    if service.entry is not None:
        around = Surroundings(names, making.models, world.services)
        values, sparing = inputs.evaluate(service, inputs.inputs_of(service), around, findings)
        visible = {name: names[name] for name in ENTRY_TEXT.sees if name != "inputs"}
        scopes = Scopes(caller, Scope(ENTRY_TEXT, {**visible, "inputs": values}), service.entry.file)
    keys = {key.text for key, _ in service.tree.items} - SHAPED
    if service.attached is not None:
        keys -= RUN_KEYS
    tree, failed = render_keys(service.tree, keys, scopes, sparing)
    return as_service(without_nulls(tree)), failed


def _checks(
    service: Service, index: int, spec: ServiceSpec | None, tree: MapNode, making: Making
) -> dict[str, tuple[Check, ...]]:
    world = making.world
    own = world.own(service, index)
    asker = Asker(f"services.{service.name}", service.name, own, world.listening(own["name"]))
    checks = {}
    for key, model in (("health", ValidatorSpec), ("after_healthy", ActionSpec), ("reset", ActionSpec)):
        items = getattr(spec, key) if spec is not None else sound_items(model, tree.get(key))
        listed = items if isinstance(items, list) else []  # `reset: restart` asks nobody
        checks[key] = checks_of(key, listed, tree.get(key), asker, world, making.findings)
    return checks


def _argv(spec: ServiceSpec) -> tuple[str, ...]:
    return (*BASH, spec.shell) if spec.shell is not None else (*(spec.command or ()), *spec.args)


def _environment(spec: ServiceSpec, tree: MapNode, making: Making) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables of the process, and those of which the file speaks."""
    world = making.world
    patterns = spec.inherit_env if spec.inherit_env is not None else world.environment.inherit_env
    inherited, of_models = environ.inherited(world.environ, patterns), _of_models(making)
    base = environ.layered(inherited, environ.hidden_gpus(patterns), of_models, making.top)
    files = _env_files(spec, tree.get("env_file"), making.findings)
    variables = environ.layered(environ.without(base, spec.unset_env), *files, spec.env)
    spoken = {*of_models, *making.top, *spec.unset_env, *spec.env, *(name for file in files for name in file)}
    return variables, tuple(sorted(spoken | (set(inherited) if patterns is not None else set())))


def _of_models(making: Making) -> dict[str, str]:
    if not making.needed:
        return {}
    models = making.world.environment.models
    return environ.of_models(making.world.environ, any_of_hub=any(models[name].repo for name in making.needed))


def _env_files(spec: ServiceSpec, node: Node | None, findings: Findings) -> list[dict[str, str]]:
    if spec.env_file is None or node is None:
        return []
    paths = [spec.env_file] if isinstance(spec.env_file, str) else spec.env_file
    layers = []
    for index, path in enumerate(paths):
        mark = node_at(node, (index,))[0].mark
        try:
            variables, wrong = environ.read_env_file(read_bytes(Path(path)).decode())
        except OSError as error:
            findings.add(
                mark, "no-such-file", f"{path} cannot be read: {error.strerror or error}", "relative to this file"
            )
        except ValueError as error:
            findings.add(mark, "bad-env-file", f"{path}: {error}")
        else:
            layers.append(variables)
            for line, column, sentence in wrong:
                findings.add(Mark(path, line, column), "bad-env-file", sentence)
    return layers


def _released(service: Service, endpoints: Mapping[str, tuple[Endpoint, ...]]) -> tuple[int, ...]:
    if service.attached is not None:
        return ()
    released = [port.name for port in service.ports.values() if port.hold == "release"]
    return tuple(endpoint.port for name in released for endpoint in endpoints[name])


def _hint(service: Service, making: Making) -> str:
    names = making.world.names()
    extra = extra_of(service, TOP_TEXT, Surroundings(names, making.models, making.world.services), making.findings)
    return f"pip install 'envspec[{extra}]'" if extra else ""
