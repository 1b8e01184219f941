"""What an environment is, apart from the numbers and directories of one run: a plan as short texts by key.

Two runs of the same spec give the same document, and where two differ, the keys say in what. The plan that it is made
of was made for `stand_in` bindings; where these turn up in a text, their names are written instead (`<http>`,
`<worker.1.http>`, `<dir>`), so that a port more in one service does not change what is said of the next.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import translate
from functools import cache
from itertools import chain
from typing import Any

from envspec.plan.codec import to_json
from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, Check, ModelPlan, Plan, PortRequest, ReplicaPlan, ServicePlan

Document = dict[str, str]

INHERITED = (
    *("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHASHSEED", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"),
    *("CUDA_*", "NVIDIA_*", "HIP_*", "ROCR_*", "OMP_*", "TORCH*", "PYTORCH_*", "NCCL_*", "GLOO_*", "UCX_*", "NIXL_*"),
    *("HF_*", "TRANSFORMERS_*", "VLLM_*", "SGLANG_*", "TRTLLM_*", "TLLM_*", "DYN_*", "ETCD_*", "NATS_*"),
)
"""Variables, as patterns, that count although the file does not speak of them: they decide which programs are run, and
how an inference stack behaves. All others (a terminal's size, the name of the CI job) differ between runs that are
the same."""
FAULTS = "faults"
LONGEST = 1000
"""Characters of a value; of a longer one the beginning and a digest are kept."""
SHOWN = 200
UNSET = "(not set)"


def stand_in(outline: Outline) -> Bindings:
    """Return bindings that are always the same for an environment.

    Ports are drawn from their own ranges by their names, so that templates which look at a number find one as they
    will find it in a run, and a port that is new moves hardly any other.
    """
    ports: dict[str, dict[str, tuple[int, ...]]] = {}
    taken: set[int] = set()
    for request in outline.ports:
        block = next(block for block in _blocks(request) if request.fixed or taken.isdisjoint(block))
        taken.update(block)
        ports.setdefault(request.replica, {})[request.port] = tuple(block)
    session = f"{outline.name.replace('/', '-')}-00000"
    return Bindings(
        session=session,
        directory=f"/envspec/sessions/{session}",
        tmp="/envspec/tmp/00000",
        ports=ports,
        models={model.name: f"/envspec/models/{model.name}" for model in outline.models},
        commits={model.name: _commit(model) for model in outline.models if model.source == "repo"},
    )


def _blocks(request: PortRequest) -> Iterator[range]:
    """Yield candidates: from a place that its name chooses on, and beyond the ranges only where those are full."""
    if request.fixed is not None:
        yield range(request.fixed, request.fixed + request.count)
    spans = [range(low, min(high, request.max) - request.count + 2) for low, high in request.ranges]
    total = sum(map(len, spans))
    first = int(digest(f"{request.replica} {request.port}"), 16) % max(1, total)
    turned = (_nth(spans, (first + step) % total) for step in range(total))  # thousands, of which one is taken
    for number in chain(turned, range(40000, 2**16)):
        yield range(number, number + request.count)


def _nth(spans: Iterable[range], place: int) -> int:
    for span in spans:
        if place < len(span):
            return span[place]
        place -= len(span)
    raise IndexError(place)


def _commit(model: ModelPlan) -> str:
    """Return a commit: the one that the file names, since that stands in the plan whatever is bound."""
    revision = str(model.options.get("revision", ""))
    return revision if re.fullmatch("[0-9a-f]{40}", revision) else hashlib.sha1(model.name.encode()).hexdigest()  # noqa: S324


def digest(content: str | bytes) -> str:
    """Return twelve hexadecimal digits that stand for a text or for bytes."""
    data = content if isinstance(content, bytes) else content.encode(errors="surrogateescape")
    return hashlib.sha256(data).hexdigest()[:12]


def described(plan: Plan, outline: Outline, secrets: Iterable[str]) -> Document:
    """Return the document of a plan that was made for `stand_in(outline)`; of `secrets` it holds digests alone.

    Of replicas after the first stands only what they have otherwise than that one.
    """
    bindings = stand_in(outline)
    numbers = list(_named_ports(outline, bindings))
    document = {"environment": plan.environment, "start_timeout": str(plan.start_timeout)}
    document |= _checks("ready", plan.ready) | _faults(plan)
    for model in plan.models:
        document |= _model(model)
    write = _writer(bindings, numbers, "", secrets)
    document = {key: write(value) for key, value in document.items()}
    for service in plan.services:
        document |= {f"services.{service.name}.{key}": value for key, value in _service(service).items()}
        first: Document = {}
        for replica in service.replicas:
            write = _writer(bindings, numbers, replica.name, secrets)
            own = {key: write(value) for key, value in _replica(replica).items()}
            own |= {f"ports.{item.port}": _port(item) for item in outline.ports if item.replica == replica.name}
            label = replica.name if first else service.name
            document |= {f"services.{label}.{key}": own.get(key, UNSET) for key in _new(own, first)}
            first = first or own
    return document


def _faults(plan: Plan) -> Document:
    """Return the faults that the file orders, without where it does so."""
    bare = [replace(fault, where="", position="") for fault in plan.faults]
    return {f"{FAULTS}[{number}]": json.dumps(to_json(fault), sort_keys=True) for number, fault in enumerate(bare)}


def _new(own: Document, first: Document) -> list[str]:
    return [key for key in {**first, **own} if own.get(key) != first.get(key)]


def _model(model: ModelPlan) -> Document:
    options = json.dumps(dict(model.options), sort_keys=True, ensure_ascii=False)
    return {
        f"models.{model.name}.{model.source}": options,
        f"models.{model.name}.name": model.served_name,
    }


def _service(service: ServicePlan) -> Document:
    waits = ", ".join(f"{name} {condition}" for name, condition in sorted(service.depends_on.items()))
    most = "" if service.restart.max is None else f", at most {service.restart.max}"
    return {
        "kind": service.kind,
        "replicas": str(len(service.replicas)),
        "start": service.start,
        "depends_on": waits or "nothing",
        "models": ", ".join(service.models) or "none",
        "restart": f"{service.restart.on}{most}",
    }


def _replica(replica: ReplicaPlan) -> Document:
    found = {
        "argv": " ".join(map(_word, replica.argv)),
        "cwd": replica.cwd,
        "host": replica.host,
        "stop": f"SIG{replica.stop.signal}, {replica.stop.timeout} s",
        "start_timeout": f"{replica.start_timeout} s",
    }
    if replica.liveness is not None:
        found["liveness"] = f"every {replica.liveness.every} s, {replica.liveness.failures} failures"
    if replica.reset_restarts:
        found["reset"] = "restart"
    if replica.attached:
        found |= {f"attach.{name}": " ".join(e.url for e in block) for name, block in replica.endpoints.items()}
        return found | _checks("health", replica.health)
    found |= {f"env.{name}": replica.env.get(name, UNSET) for name in chosen(replica)}
    found |= {f"files.{path}": text for path, text in replica.files.items()}
    for key in ("health", "after_healthy", "reset"):
        found |= _checks(key, getattr(replica, key))
    return found


def chosen(replica: ReplicaPlan) -> list[str]:
    """Return the variables that count: those of which the file speaks, and of the inherited ones INHERITED."""
    return sorted({*filter(_counting().match, replica.env), *replica.spoken_env})


@cache
def _counting() -> re.Pattern[str]:
    return re.compile("|".join(map(translate, INHERITED)))


def _port(request: PortRequest) -> str:
    numbers = str(request.fixed or ", ".join(f"{low}-{high}" for low, high in request.ranges))
    block = f", {request.count} in a row" if request.count > 1 else ""
    return f"{numbers}{block}, {request.hold}"


def _word(text: str) -> str:
    return text if re.fullmatch(r"[^\s'\"]+", text) else json.dumps(text, ensure_ascii=False)


def _checks(key: str, checks: Iterable[Check]) -> Document:
    return {f"{key}[{number}]": _check(check) for number, check in enumerate(checks)}


def _check(check: Check) -> str:
    fields: dict[str, Any] = {name: value for name, value in check.fields.items() if value is not None}
    if check.context:
        fields["vars"] = check.context.get("vars")
    places = "".join(f" {endpoint.url}" for endpoint in check.endpoints)
    return f"{check.kind}{places} {json.dumps(fields, sort_keys=True, ensure_ascii=False)}, {check.timeout} s"


def _writer(
    bindings: Bindings, ports: Iterable[tuple[str, str, str]], replica: str, secrets: Iterable[str]
) -> Callable[[str], str]:
    """Return what puts names in the place of stand-ins as `replica` sees them, and digests in that of secrets."""
    numbers = {number: f"<{name}>" if owner == replica else f"<{owner}.{name}>" for number, owner, name in ports}
    places = rf"{re.escape(bindings.directory)}(?:/replicas/(?P<replica>[a-z0-9_]+(?:\.[0-9]+)?))?"
    others = "|".join(map(re.escape, (bindings.tmp, bindings.session)))
    pattern = re.compile(rf"{places}|{others}|(?<![0-9A-Za-z])[0-9]{{1,5}}(?![0-9A-Za-z])")
    words = {bindings.tmp: "<session.tmp>", bindings.session: "<session.id>", bindings.directory: "<session.dir>"}
    masks = [(secret, f"<secret {digest(secret)}>") for secret in secrets]

    def name(found: re.Match[str]) -> str:
        if (whose := found["replica"]) is not None:
            return "<dir>" if whose == replica else f"<{whose}.dir>"
        return words.get(found[0]) or numbers.get(found[0], found[0])

    def write(text: str) -> str:
        for secret, mask in masks:
            text = text.replace(secret, mask)
        return _short(pattern.sub(name, text))

    return write


def _named_ports(outline: Outline, bindings: Bindings) -> Iterator[tuple[str, str, str]]:
    """Yield each number that stands in for a leased one, with its replica and its name there."""
    for request in outline.ports:
        if request.fixed is None:
            for place, number in enumerate(bindings.ports[request.replica][request.port]):
                yield str(number), request.replica, request.port + (f"[{place}]" if request.count > 1 else "")


def _short(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:SHOWN]}… ({len(text)} characters, {digest(text)})"


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what differs, by key: the value before and the one now."""
    keys = sorted({**before, **now})
    return {
        key: (before.get(key, UNSET), now.get(key, UNSET))
        for key in keys
        if before.get(key, UNSET) != now.get(key, UNSET)
    }
