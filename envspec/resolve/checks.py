"""Validators and actions, from what the file says to the plan's checks: places looked up, units as seconds."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from envspec.plan.plan import Check, Endpoint
from envspec.record import Record
from envspec.resolve.scope import EndpointsByPort, World, not_attached
from envspec.spec.base import is_extension
from envspec.spec.diagnostics import suggest
from envspec.spec.environment import Service, position
from envspec.spec.findings import Findings
from envspec.spec.nodes import ListNode, MapNode, Mark, Node, node_at, plain_data
from envspec.spec.reading import read_bytes
from envspec.spec.sound_part import sound_part
from envspec.spec.validator_spec import OneOf
from envspec.spec.written import is_file

PLACES = ("port", "endpoint", "url")
PATTERNS = {"log": "match", "http": "text"}
"""Fields that hold a regular expression."""


class Asker(Record):
    """Who asks: a replica, with its ports and its view of the world, or the environment as a whole."""

    what: str
    """How its checks are called: `services.worker`, or `ready` by itself."""
    service: str = ""
    replica: Mapping[str, Any] | None = None
    ports: EndpointsByPort | None = None


def sound_items(model: type[OneOf], node: Node | None) -> list[OneOf | None]:
    """Return the items of a list less what is wrong with them, which was told; None where too little is left."""
    items = node.items if isinstance(node, ListNode) else ()
    return [sound_part(model, plain_data(item), depth=2)[0] for item in items]


def checks_of(
    key: str, items: Sequence[OneOf | None], nodes: Node | None, asker: Asker, world: World, findings: Findings
) -> tuple[Check, ...]:
    """Return a list of validators or actions as checks; what cannot be is noted."""
    checks = []
    for index, item in enumerate(items):
        node = node_at(nodes, (index,))[0] if nodes is not None else None
        where = f"{asker.what}[{index}]" if asker.what == key else f"{asker.what}.{key}[{index}]"
        if node is not None and item is not None:
            checks.append(_check(item, node, where, asker, world, findings))
    return tuple(check for check in checks if check is not None)


def _check(item: OneOf, node: Node, where: str, asker: Asker, world: World, findings: Findings) -> Check | None:
    kind, validator = item.kind, item.validator
    known = {f.name: _plain(getattr(validator, f.name)) for f in fields(validator)}
    inner = node_at(node, (kind,))[0]
    complete = _one_of_each(kind, validator, inner, findings)
    sound = complete and (kind != "exec" or _runs_something(known, inner, findings))
    sound = _well_formed(kind, known, inner, world, findings) and sound
    endpoints = _endpoints(kind, known, inner, asker, world, findings)
    if endpoints is None or not sound:
        return None
    if kind == "openai" and known["model"] is not None:
        known |= {"name": world.models[known["model"]]["name"], "model": None}
    named = (known.get("endpoint") or "").split(".")[0] or asker.service
    return Check(
        kind=kind,
        fields={name: value for name, value in known.items() if name not in ("timeout", "port", "endpoint")},
        timeout=float(known["timeout"]),
        where=f"{where} ({kind})",
        position=position(node.mark),
        endpoints=endpoints,
        local=bool(endpoints) and not _is_attached(named, world),
        context=world.context(asker.replica) if kind == "python" else {},
        folder=str(Path(inner.mark.file).parent.absolute()) if kind == "python" else "",
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return float(value) if isinstance(value, float) else value


def _one_of_each(kind: str, validator: Any, node: Node, findings: Findings) -> bool:
    for group in type(validator).choose_one:
        given = [name for name in group if getattr(validator, name) is not None]
        if not given and _is_in_doubt(group, validator, node):
            return False
        if len(given) != 1:
            names = f"{', '.join(group[:-1])} or {group[-1]}"
            found = f"here are {' and '.join(given)}" if given else "here is none"
            findings.add(node.mark, "choose-one", f"{kind} needs exactly one of {names}; {found}")
            return False
    return True


def _is_in_doubt(group: Sequence[str], validator: Any, node: Node) -> bool:
    """Say whether one of a group is perhaps written: wrongly, or misspelt, which was told."""
    others = {field.name for field in fields(validator)} - {*group}
    written = [key.text for key, _ in node.items] if isinstance(node, MapNode) else []
    return any(key not in others and not is_extension(key) for key in written)


def _runs_something(known: Mapping[str, Any], node: Node, findings: Findings) -> bool:
    """Say whether `exec` names a program: of an empty command, bash would say that all is well."""
    if (known["shell"] or "").strip() or any((known["command"] or [])[:1]):
        return True
    key = "shell" if known["command"] is None else "command"
    hint = "give it a program, or let the whole item be null where there is nothing to ask"
    findings.add(node_at(node, (key,))[0].mark, "no-command", f"exec has nothing to run: its '{key}' is empty", hint)
    return False


def _well_formed(kind: str, known: Mapping[str, Any], node: Node, world: World, findings: Findings) -> bool:
    if kind in PATTERNS and known[PATTERNS[kind]] is not None:
        mark = node_at(node, (PATTERNS[kind],))[0].mark
        try:
            re.compile(known[PATTERNS[kind]])
        except re.error as error:
            findings.add(mark, "bad-pattern", f"this is not a regular expression: {error}")
            return False
    if kind == "openai" and ("models", known["model"]) in findings.spoiled:
        return False
    if kind == "openai" and known["model"] is not None and known["model"] not in world.models:
        mark = node_at(node, ("model",))[0].mark
        hint = suggest(known["model"], world.models) or "a name that is no key of `models` goes into 'name'"
        findings.add(mark, "unknown-model", f"there is no model '{known['model']}'", hint)
        return False
    return kind != "python" or _function_exists(known["call"], node_at(node, ("call",))[0].mark, findings)


def _endpoints(
    kind: str, known: Mapping[str, Any], node: Node, asker: Asker, world: World, findings: Findings
) -> tuple[Endpoint, ...] | None:
    """Return the places that a check asks, or None where they do not exist, which is noted."""
    if kind == "log" and (reason := _no_log(asker, world)):
        findings.add(node.mark, "no-log", reason, _instead_of_log(asker))
        return None
    if known.get("port") is not None:
        return _own(known["port"], node_at(node, ("port",))[0].mark, asker, world, findings)
    if known.get("endpoint") is not None:
        return _named(known["endpoint"], node_at(node, ("endpoint",))[0].mark, asker, world, findings)
    return ()


def _no_log(asker: Asker, world: World) -> str:
    if asker.ports is None:
        return "'ready' has no log of its own"
    return f"{asker.service} is attached: its log is not here" if _is_attached(asker.service, world) else ""


def _instead_of_log(asker: Asker) -> str:
    hint = "log looks at the output of a service that is started here"
    instead = f"health: [{{tcp: {{port: {next(iter(asker.ports))}}}}}]" if asker.ports else ""
    return f"{hint}; ask it something else instead, as in `{instead}`" if instead else hint


def _own(port: str, mark: Mark, asker: Asker, world: World, findings: Findings) -> tuple[Endpoint, ...] | None:
    if ("ports",) in findings.spoiled:
        _note_unwritten(port, mark, world.environment.services[asker.service], findings)
        return None
    if asker.ports is None:
        message = f"'ready' has no port '{port}' of its own"
        findings.add(mark, "unknown-port", message, f"say whose: endpoint: SERVICE.{port}")
        return None
    if port not in asker.ports:
        why = f"{asker.service} has no port '{port}'", suggest(port, asker.ports)
        findings.add(mark, "unknown-port", *(not_attached(world.environment.services[asker.service], port) or why))
        return None
    return asker.ports[port]


def _note_unwritten(port: str, mark: Mark, service: Service, findings: Findings) -> None:
    """Note a port that is not even written, where something is wrong with those that are."""
    written = service.tree.get("ports")
    if isinstance(written, MapNode) and not service.tree.get("attach"):
        names = [key.text for key, _ in written.items]
        if port not in names:
            findings.add(mark, "unknown-port", f"{service.name} has no port '{port}'", suggest(port, names))


def _is_attached(service: str, world: World) -> bool:
    known = world.environment.services.get(service)
    return known is not None and known.attached is not None


def _named(text: str, mark: Mark, asker: Asker, world: World, findings: Findings) -> tuple[Endpoint, ...] | None:
    """Return what `worker.http` (every replica's) or `worker.1.http` (that one's) names.

    A service's checks go past relays: what tests do there makes nobody unhealthy. `ready` asks as users do.
    """
    name, _, rest = text.partition(".")
    index, _, port = rest.rpartition(".")
    services = world.environment.services
    if name not in services:
        findings.add(mark, "unknown-service", f"there is no service '{name}'", suggest(name, services))
        return None
    if not services[name].enabled:
        findings.add(mark, "disabled-service", f"the service '{name}' is not enabled", "ask for it only where it is")
        return None
    if ("services", name) in findings.spoiled:
        if port:
            _note_unwritten(port, mark, services[name], findings)
        return None
    replicas = services[name].replica_names()
    if index:
        wanted = f"{name}.{index}"
        if wanted not in replicas:
            findings.add(
                mark, "unknown-replica", f"there is no replica '{wanted}'", f"its replicas: {', '.join(replicas)}"
            )
            return None
        replicas = (wanted,)
    places = world.listening if asker.service else world.endpoints.__getitem__
    if port not in (ports := places(replicas[0])):
        message = f"{name} has no port '{port}'" if port else f"'{text}' names no port: it is written SERVICE.PORT"
        why = not_attached(services[name], port) or (message, suggest(port, ports))
        findings.add(mark, "unknown-port", *why)
        return None
    return tuple(endpoint for replica in replicas for endpoint in places(replica)[port])


def _function_exists(call: str, mark: Mark, findings: Findings) -> bool:
    """Look for the function of a `python` validator beside the file, without importing it."""
    module, _, function = call.partition(":")
    if not all(name.isidentifier() for name in (*module.split("."), function)) or module.endswith(".py"):
        hint = "the module lies beside the file; it is named without .py, and with dots for folders"
        findings.add(mark, "wrong-call", f"call is written module:function, not '{call}'", hint)
        return False
    folder = Path(mark.file).parent.joinpath(*module.split("."))
    source = next((file for file in (folder.with_suffix(".py"), folder / "__init__.py") if is_file(file)), None)
    if source is None:
        return _is_installed(module, folder.with_suffix(".py"), mark, findings)
    try:
        tree = ast.parse(read_bytes(source), str(source))
    except SyntaxError as error:
        findings.add(mark, "wrong-call", f"{source}:{error.lineno}: {error.msg}")
        return False
    except (OSError, ValueError) as error:  # not to be read, or not text
        findings.add(mark, "wrong-call", f"{source} cannot be read: {error}")
        return False
    names = _defined(tree)
    if function not in names and "*" not in names:
        findings.add(mark, "unknown-function", f"{source} defines no '{function}'", suggest(function, names))
        return False
    return True


def _is_installed(module: str, sought: Path, mark: Mark, findings: Findings) -> bool:
    from importlib.machinery import PathFinder

    # Only the top package: looking for a submodule would import its parents.
    if PathFinder.find_spec(module.split(".", maxsplit=1)[0]) is not None:
        return True
    findings.add(mark, "unknown-function", f"there is no module '{module}'", f"it is sought at {sought}")
    return False


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that a module's own statements bind."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
