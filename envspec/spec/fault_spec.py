"""Faults as the file, and a test's marker, write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast, get_args

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from envspec.health.values import PositiveDuration
from envspec.plan.fault import UNDONE_BY, EndpointAction, FaultAction, Milestone, Moment, Order
from envspec.plan.toxics import Toxics
from envspec.spec.base import Spec
from envspec.spec.diagnostics import suggest
from envspec.units import DURATION_PATTERN, Duration, Traffic

if TYPE_CHECKING:
    from collections.abc import Mapping

FaultSignal = Literal["KILL", "TERM", "INT", "QUIT", "HUP", "ABRT", "SEGV", "BUS", "USR1", "USR2"]

OF_ENDPOINTS: tuple[EndpointAction, ...] = get_args(EndpointAction)
ACTIONS: tuple[FaultAction | EndpointAction, ...] = (*get_args(FaultAction), *OF_ENDPOINTS)
OF_ALL = ("started", "first_healthy", "healthy")
OF_ONE = ("started", "listening", "healthy")
WRITTEN = "written like `healthy + 2s` or `worker.1.listening`"

_DURATION = DURATION_PATTERN.strip("^$")
_EVENT = rf"(([a-z_][a-z0-9_]*(\.[0-9]+)?\.)?({'|'.join(dict.fromkeys((*OF_ALL, *OF_ONE)))}))"
AFTER_PATTERN = rf"^({_EVENT}( ?\+ ?{_DURATION})?|{_DURATION})$"
USED_WITH: Mapping[str, tuple[str, ...]] = {
    "signal": ("kill", "kill_child"),
    "child": ("kill_child",),
    "for": (*UNDONE_BY, *OF_ENDPOINTS[:-1]),
    "wipe": ("stop", "restart"),
    "by": ("latency",),
    "jitter": ("latency",),
    "rate": ("throttle",),
    "after_bytes": ("reset",),
}
"""Keys that say more of an action, and the actions of which they do."""
NEEDS = {"kill_child": ("child", "a part of the child's command line"), "latency": ("by", "how much later")}
NEEDS["throttle"] = ("rate", "how many bytes a second pass")


def moment(text: object) -> Moment:
    """Read when a fault comes: `worker.healthy + 2s`, `first_healthy`, `500ms`.

    Raises:
        ValueError: it is nothing of that; the message says what it could be.
    """
    if not isinstance(text, str):
        message = f"a moment is text, {WRITTEN}, not {type(text).__name__}"
        raise ValueError(message)  # noqa: TRY004  pydantic turns only ValueError into a finding
    event, plus, rest = (part.strip() for part in text.partition("+"))
    if not plus and re.fullmatch(r"[0-9].*", event):
        event, rest = "", event
    delay = float(Duration.parse(rest)) if rest or plus else 0.0
    target, _, milestone = event.rpartition(".")
    known = OF_ONE if target else OF_ALL
    if event and milestone not in known:
        whose = f"of {target}" if target else "of the environment"
        message = f"{milestone!r} is nothing that happens {whose}: that is {', '.join(known[:-1])} or {known[-1]}"
        raise ValueError(message if milestone else f"{text!r} is no moment ({WRITTEN})")
    return Moment(cast("Milestone", milestone), target, delay)


class _Written:
    """Tells pydantic how a moment is written."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(moment)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": AFTER_PATTERN, "examples": ["healthy + 2s", "worker.0.listening"]}


class FaultSpec(Spec):
    """Something that is done to a service on purpose, once. It names exactly one action, and whom that is done to."""

    after: Annotated[Moment, _Written] = Field(default=Moment())
    """When: `started`, `first_healthy` or `healthy` for the environment, `SERVICE.started`, `SERVICE.listening` or
    `SERVICE.healthy` for a service or a replica, each with ` + DURATION` behind it at will."""
    kill: str | None = None
    """The service or replica whose process gets `signal`."""
    pause: str | None = None
    """The service or replica that is stopped in its tracks (SIGSTOP), `for` a time or until a `resume`."""
    resume: str | None = None
    """The paused service or replica that goes on."""
    stop: str | None = None
    """The service or replica that is stopped in good order, `for` a time or until a `start`."""
    start: str | None = None
    """The service or replica that is started again."""
    restart: str | None = None
    """The service or replica that is stopped and started again."""
    kill_child: str | None = None
    """The service or replica of which the one descendant that `child` names gets `signal`."""
    child: str = ""
    """A part of the name or the command line of a descendant, such as `EngineCore`."""
    signal: FaultSignal = "KILL"
    """The signal of `kill` and `kill_child`, without SIG."""
    for_: PositiveDuration | None = Field(default=None, alias="for")
    """How long a `pause` or a `stop` lasts, or what is done to an endpoint. Default: until something ends it."""
    wipe: bool = False
    """Whether `stop` or `restart` empties the replica's directory; `files` are written again at the next start."""
    latency: str | None = None
    """The endpoint, `SERVICE.PORT` or `SERVICE.INDEX.PORT`, a port with `proxy: true`, whose answers come later `by` a
    time, more or less by up to `jitter`."""
    drop: str | None = None
    """The endpoint where connections are accepted, and nothing passes."""
    throttle: str | None = None
    """The endpoint where `rate` bytes a second pass, in either direction of each connection."""
    reset: str | None = None
    """The endpoint whose connections are cut by RST, each after `after_bytes` of what the service says."""
    heal: str | None = None
    """The endpoint at which nothing is wrong any more."""
    by: PositiveDuration | None = None
    """How much later a `latency` lets answers come."""
    jitter: Duration = Duration()
    """By how much at most a `latency` is longer or shorter at random."""
    rate: Traffic | None = None
    """How many bytes a second a `throttle` lets pass, such as `64KB`."""
    after_bytes: Traffic = Traffic()
    """What a service may say before its connection is `reset`, such as `2KB`. Default: nothing."""

    @property
    def is_one(self) -> bool:
        """Whether it names exactly one action."""
        return len(list(self._actions())) == 1

    @property
    def order(self) -> Order:
        """What is to be done; `problems` says whether that can be told."""
        action, target = next(self._actions())
        if action not in OF_ENDPOINTS:
            return Order(action, target, self.signal, self.child, self.wipe)
        target, _, port = target.rpartition(".")
        return Order(action, target, port=port, toxics=self._toxics(action))

    def _toxics(self, action: str) -> Toxics:
        return Toxics(
            latency=float(self.by or 0),
            jitter=float(self.jitter),
            drop=action == "drop",
            rate=self.rate and float(self.rate),
            reset=action == "reset",
            after_bytes=int(self.after_bytes),
        )

    def _actions(self) -> Iterator[tuple[FaultAction | EndpointAction, str]]:
        for action in ACTIONS:
            if (target := getattr(self, action)) is not None:
                yield action, target


class Problem(NamedTuple):
    """What is wrong with a fault as a whole; `key` is where that shows, empty for the whole."""

    key: str
    code: str
    message: str
    hint: str = ""


def problems(fault: FaultSpec, services: Mapping[str, tuple[str, ...]], attached: tuple[str, ...]) -> list[Problem]:
    """Return what is wrong with a fault that is well formed. `services` are the replicas of each service."""
    given = [action for action in ACTIONS if getattr(fault, action) is not None]
    if len(given) != 1:
        here = f"here are {' and '.join(given)}" if given else "here is none"
        return [Problem("", "choose-one", f"a fault is exactly one of {', '.join(ACTIONS)}; {here}")]
    (action,) = given
    written = {"for" if name == "for_" else name for name in fault.model_fields_set}
    found = [_unused(key, action) for key, users in USED_WITH.items() if key in written and action not in users]
    if action in NEEDS and getattr(fault, NEEDS[action][0]) in (None, ""):
        key, what = NEEDS[action]
        found.append(Problem("", "missing-key", f"{action} needs the key '{key}': {what}"))
    if action == "throttle" and fault.rate == 0:
        found.append(Problem("rate", "wrong-value", "a throttled endpoint lets some bytes pass", "drop lets none pass"))
    if action == "latency" and fault.by and fault.jitter > fault.by:
        found.append(Problem("jitter", "wrong-value", "a latency varies by no more than itself"))
    target = fault.order.target
    if action in OF_ENDPOINTS and not target:
        return [
            *found,
            Problem(action, "wrong-value", f"{fault.order.port!r} names no port: it is written SERVICE.PORT"),
        ]
    found += _unknown(action, target, services)
    if target.partition(".")[0] in attached:
        message = f"{target} is attached: envspec did not start it, and leaves it alone"
        found.append(Problem(action, "attached-service", message))
    if fault.after.target:
        found += _unknown("after", fault.after.target, services)
    return found


def _unused(key: str, action: str) -> Problem:
    message = f"'{key}' says nothing of {action}"
    return Problem(key, "unused-key", message, f"it is for {_listed(USED_WITH[key])}")


def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _unknown(key: str, name: str, services: Mapping[str, tuple[str, ...]]) -> Iterator[Problem]:
    service, dot, _ = name.partition(".")
    if service not in services:
        yield Problem(key, "unknown-service", f"there is no service '{service}'", suggest(service, services))
    elif dot and name not in services[service] and services[service]:
        hint = f"its replicas: {', '.join(services[service])}"
        yield Problem(key, "unknown-replica", f"{service} has no replica '{name}'", hint)
