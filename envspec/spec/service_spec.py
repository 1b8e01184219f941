"""Services as the file writes them, once rendered: every key of a service and what it means."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from envspec.health.values import PositiveDuration
from envspec.spec.base import Name, Pattern, Spec
from envspec.spec.port_spec import PortSpec
from envspec.spec.validator_spec import ActionSpec, ValidatorSpec
from envspec.units import Duration

Condition = Literal["started", "healthy", "exited", "succeeded"]
Signal = Literal["TERM", "INT", "QUIT", "HUP", "KILL", "ABRT", "USR1", "USR2", "WINCH"]

if TYPE_CHECKING:
    from envspec.spec.validator_spec import OneOf

    HealthItem = OneOf
    ActionItem = OneOf
else:
    HealthItem = ValidatorSpec
    ActionItem = ActionSpec

MOST_REPLICAS = 1000  # on one machine; a larger number is a slip of the finger, which would take minutes to plan


class StopSpec(Spec):
    """How a replica is asked to stop."""

    signal: Signal = "TERM"
    """The signal that asks, without SIG."""
    timeout: Duration = Duration(10)
    """How long it may take; then it and whatever it forked is killed."""


class RestartSpec(Spec):
    """What follows an exit: not one by `stop()`, but one by `kill()`, as after a crash. Ports and directory stay."""

    on: Literal["never", "failure", "always"] = "never"
    """`failure`: an exit code other than 0, a signal, or failed liveness. `always`: exit code 0 as well."""
    max: int | None = Field(default=None, ge=0)
    """So many restarts in a session. Default: no bound."""


class LivenessSpec(Spec):
    """Go on asking `health` after it passed once."""

    every: PositiveDuration = Duration(10)
    """Time between two questions."""
    failures: int = Field(default=3, ge=1)
    """So many bad answers in a row count as an exit."""


class AttachSpec(Spec):
    """Where the service already runs: it is validated, not started. Exactly one of `url` and `ports`."""

    url: str | None = None
    """For a service with exactly one port, whose scheme and path prefix are then the URL's."""
    ports: dict[Name, int | str | list[int | str]] | None = None
    """For each port a number, `host:port`, or a URL. For a port with `count`, the first of so many in a row, or a list
    of them all."""


class ServiceSpec(Spec):
    """One service, or one task. Every key is optional; a service needs `command`, `shell`, `use` or `attach`."""

    use: str | None = None
    """The catalog entry to build on: a shipped name, or `./entry.yaml` relative to this file."""
    with_: dict[str, Any] = Field(default={}, alias="with")
    """Values for the entry's inputs."""
    kind: Literal["service", "task"] = "service"
    """A service runs until it is stopped; a task runs to completion, and succeeds with exit code 0."""
    enabled: bool = True
    """`false`: not started, and dropped from every `depends_on`."""
    replicas: int = Field(default=1, ge=0, le=MOST_REPLICAS)
    """Copies to run. Written, even as 1, the replicas are called `worker.0`, `worker.1`, …; 1000 is the most."""
    start: Literal["parallel", "ordered"] = "parallel"
    """Whether replicas start together, or each once the one before it is healthy."""
    command: list[str] | None = None
    """The program and its arguments, as a list. Nothing is expanded but templates."""
    args: list[str] = Field(default=[])
    """Arguments appended to `command`."""
    shell: str | None = None
    """A script for `bash -eo pipefail -c`, instead of `command`."""
    cwd: str | None = None
    """Where it runs, relative to this file. Default: the replica's own directory."""
    env: dict[str, str | None] = Field(default={})
    """Variables of its environment; null takes a variable away."""
    env_file: str | list[str] | None = None
    """Files of NAME=VALUE lines, relative to this file; `env` wins over them."""
    inherit_env: list[Pattern] | None = None
    """Which of the caller's variables it inherits, as patterns: `[PATH, "CUDA_*"]`. Default: all."""
    unset_env: list[Pattern] = Field(default=[])
    """Which variables it does not inherit, as patterns."""
    files: dict[str, str] = Field(default={})
    """Files to write into the replica's directory before it starts: relative path → text."""
    ports: dict[Name, PortSpec] = Field(default={})
    """Its ports, by name."""
    attach: AttachSpec | None = None
    """Where it already runs, instead of starting it."""
    models: list[str] = Field(default=[])
    """Models it needs without naming them in a template."""
    depends_on: list[str] | dict[str, Condition] = Field(default=[])
    """What must be there before it starts. In a list, that means healthy where the other has validators, succeeded
    where it is a task, else started."""
    health: list[HealthItem] = Field(default=[])
    """Validators, all of which must pass before it counts as healthy."""
    start_timeout: PositiveDuration | None = None
    """Time from its start until `health` has passed and `after_healthy` is done. Default: the top key, else 60s."""
    liveness: LivenessSpec | None = None
    """Go on asking `health` after the start."""
    after_healthy: list[ActionItem] = Field(default=[])
    """Done once per start, in order, when `health` has passed; one that fails is a failed start."""
    reset: Literal["restart"] | list[ActionItem] = Field(default=[])
    """Brings the service back to its first state before a test run borrows a session that ran before: actions, done in
    order, or `restart`, which starts this service anew on the same ports and in the same directory."""
    stop: StopSpec = Field(default_factory=StopSpec)
    """How it is stopped."""
    restart: RestartSpec = Field(default_factory=RestartSpec)
    """What follows an exit: `stop()` is not followed by a restart; `kill()` is, as a crash would be.
    Default: the service has failed."""


@cache
def build() -> None:
    """Build the schemas that others share, innermost first; otherwise each would build all of them again."""
    for part in (ValidatorSpec, ActionSpec, ServiceSpec):
        part.model_rebuild()
