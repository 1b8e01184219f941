"""An environment as envspec understands it, for people: what `envspec show` prints.

Numbers that are leased at the start are not known yet. The environment is resolved with numbers no port can have, which
are then replaced, wherever a template has put them, by whose they are: `<worker.0.http>`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from typing import Any

from envspec.plan.codec import to_json
from envspec.plan.fault import Fault
from envspec.plan.outline import Outline, Requirements
from envspec.plan.plan import Bindings, Check, Endpoint, Plan, PortRequest, ReplicaPlan, ServicePlan
from envspec.plan.toxics import Toxics

FIRST = 7_000_500_000
STEP = 1_000_000
"""Between the numbers of two ports there is room for what templates add or take away: `{{ ports.base + 100 }}`."""
_NUMBER = re.compile(r"(?<![0-9])70[0-9]{8}(?![0-9])")


def bindings_for_show(requests: tuple[PortRequest, ...], models: Mapping[str, bool]) -> Bindings:
    """Return bindings that say what they stand for; fixed ports keep their numbers.

    `models` tells of each whether it comes from a repository, and so has a commit.
    """
    ports: dict[str, dict[str, tuple[int, ...]]] = {}
    for index, request in enumerate(requests):
        first = FIRST + index * STEP if request.fixed is None else request.fixed
        ports.setdefault(request.replica, {})[request.port] = tuple(range(first, first + request.count))
    return Bindings(
        session="<session.id>",
        directory="<session.dir>",
        tmp="<session.tmp>",
        ports=ports,
        models={name: f"<models.{name}.path>" for name in models},
        commits={name: f"<models.{name}.commit>" for name, has_commits in models.items() if has_commits},
    )


def shown_environment(
    plan: Plan,
    outline: Outline,
    inherited: Mapping[str, str],
    patterns: Sequence[str] | None,
    variables: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the environment as plain data.

    `inherited` is what services have of the caller's environment by the file's `inherit_env`, which is `patterns`; it
    is left out of their variables.
    """
    requests = outline.ports
    data: dict[str, Any] = {
        "environment": plan.environment,
        "file": plan.file,
        "description": plan.description,
        "vars": dict(variables),
        "requires": _requires(outline.requires),
        "inherit_env": None if patterns is None else list(patterns),
        "services": {service.name: _service(service, requests, inherited) for service in plan.services},
        "models": {
            model.name: {"name": model.served_name, "source": model.source, **model.options} for model in plan.models
        },
        "ready": [_check(check) for check in plan.ready],
        "start_timeout": plan.start_timeout,
        "faults": [_fault(fault) for fault in plan.faults],
    }
    shown: dict[str, Any] = _readable({**_written(data), **_nothing_inherited(patterns)}, requests)
    return shown


def _nothing_inherited(patterns: Sequence[str] | None) -> dict[str, Any]:
    """An empty `inherit_env` says something, unlike other empty lists."""
    return {"inherit_env": []} if patterns is not None and not patterns else {}


def _requires(requires: Requirements) -> dict[str, Any]:
    sizes = {key: f"{size}B" for key, size in (("memory", requires.memory), ("disk", requires.disk)) if size}
    return _written({key: list(getattr(requires, key)) for key in ("os", "commands", "modules", "env")} | sizes)


def _service(service: ServicePlan, requests: tuple[PortRequest, ...], inherited: Mapping[str, str]) -> dict[str, Any]:
    first = service.replicas[0] if service.replicas else None
    data: dict[str, Any] = {
        "kind": service.kind,
        "description": service.description,
        "replicas": [replica.name for replica in service.replicas],
        "depends_on": dict(service.depends_on),
        "models": list(service.models),
        "ports": _ports(first, requests) if first else {},
    }
    if first is not None and service.attached:
        data["attach"] = {name: [end.url for end in block] for name, block in first.endpoints.items()}
    elif first is not None:
        data |= _process(first, inherited)
        data |= {"stop": to_json(first.stop)}
        data |= {"restart": to_json(service.restart)} if service.restart.on != "never" else {}
    if first is not None:
        data |= {"health": [_check(check) for check in first.health], "start_timeout": first.start_timeout}
        data |= {key: [_check(check) for check in getattr(first, key)] for key in ("after_healthy", "reset")}
        data |= {"reset": "restart"} if first.reset_restarts else {}
        data["liveness"] = to_json(first.liveness)
    return _written(data)


def _fault(fault: Fault) -> dict[str, Any]:
    order, after = fault.order, fault.after
    event = ".".join(filter(None, (after.target, after.milestone)))
    data = {"after": f"{event} + {after.delay:g}s" if after.delay else event, order.action: order.whom}
    data |= _toxics(order.toxics)
    data |= {"child": order.child} if order.child else {}
    data |= {"signal": order.signal} if order.action in ("kill", "kill_child") else {}
    data |= {"for": f"{fault.lasts:g}s"} if fault.lasts is not None else {}
    return {**data, "wipe": True} if order.wipe else data


def _toxics(toxics: Toxics) -> dict[str, Any]:
    data: dict[str, Any] = {"by": f"{toxics.latency:g}s"} if toxics.latency else {}
    data |= {"jitter": f"{toxics.jitter:g}s"} if toxics.jitter else {}
    data |= {"rate": f"{toxics.rate:g}B"} if toxics.rate else {}
    return {**data, "after_bytes": f"{toxics.after_bytes}B"} if toxics.after_bytes else data


def _written(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says something: without empty texts, lists and mappings."""
    return {key: value for key, value in data.items() if value not in ("", {}, [], None)}


def _process(replica: ReplicaPlan, inherited: Mapping[str, str]) -> dict[str, Any]:
    kept = sorted(name for name, value in replica.env.items() if inherited.get(name) == value)
    gone = sorted(set(inherited) - set(replica.env))
    # Whichever is shorter says what the service's own `inherit_env` and `unset_env` come to.
    difference = {"unset_env": gone} if len(gone) <= len(kept) else {"inherit_env": kept}
    return {
        "command": list(replica.argv),
        "cwd": replica.cwd,
        "env": {name: value for name, value in sorted(replica.env.items()) if inherited.get(name) != value},
        **difference,
        "files": dict(replica.files),
    }


def _ports(replica: ReplicaPlan, requests: tuple[PortRequest, ...]) -> dict[str, Any]:
    """Return every port by its name: a number, or `auto` where it is leased at the start; of a relay, as written."""
    asked = {request.port: request for request in requests if request.replica == replica.name}
    ports: dict[str, Any] = {}
    for name, numbers in replica.ports.items():
        fixed = name not in asked or asked[name].fixed is not None
        shown: Any = (numbers[0] if len(numbers) == 1 else list(numbers)) if fixed else "auto"
        ports[name] = shown if fixed or len(numbers) == 1 else f"auto, {len(numbers)} in a row"
        if name in replica.relayed:
            ports[name] = {**({"range": shown} if fixed else {}), "proxy": True}
    return ports


def _check(check: Check) -> dict[str, Any]:
    return {check.kind: {**_asked(check.endpoints), **_written(to_json(check.fields)), "timeout": check.timeout}}


def _asked(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    return {"endpoints": [endpoint.url for endpoint in endpoints]} if endpoints else {}


def _readable(data: Any, requests: tuple[PortRequest, ...]) -> Any:
    if isinstance(data, Mapping):
        return {key: _readable(value, requests) for key, value in data.items()}
    if isinstance(data, list):
        return [_readable(item, requests) for item in data]
    if isinstance(data, str):
        return _NUMBER.sub(lambda match: _owner(int(match[0]), requests), data)
    if isinstance(data, float) and not isfinite(data):
        return ".nan" if isnan(data) else ".inf" if data > 0 else "-.inf"  # JSON has no such numbers
    if isinstance(data, int) and _NUMBER.fullmatch(str(data)):
        return _owner(data, requests)
    return data


def _owner(number: int, requests: tuple[PortRequest, ...]) -> str:
    index, offset = divmod(number - FIRST + STEP // 2, STEP)
    offset -= STEP // 2
    if not 0 <= index < len(requests):
        return str(number)
    return f"<{requests[index].replica}.{requests[index].port}{f'{offset:+}' if offset else ''}>"
