"""The root of an environment file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from envspec.health.values import PositiveDuration
from envspec.spec.base import Name, Pattern, Spec
from envspec.spec.fault_spec import FaultSpec
from envspec.spec.model_spec import ModelSpec
from envspec.spec.port_spec import PortsSpec
from envspec.spec.requires_spec import RequiresSpec
from envspec.spec.service_spec import HealthItem, ServiceSpec


class EnvironmentFile(Spec):
    """One environment: its services, ports and models, and what healthy means."""

    version: Literal[1] = 1
    """The version of the file format."""
    description: str = ""
    """What the environment is, in one or two sentences."""
    extends: str | None = None
    """Another environment file, relative to this one, whose keys lie under these."""
    vars: dict[Name, Any] = Field(default={})
    """Values for templates, overridden by `--set NAME=VALUE` or `ENVSPEC_VAR_NAME=VALUE`."""
    requires: RequiresSpec = Field(default_factory=RequiresSpec)
    """What the host must have."""
    env: dict[str, str | None] = Field(default={})
    """Variables for all services; null takes a variable away."""
    inherit_env: list[Pattern] | None = None
    """Which of the caller's variables services inherit, as patterns. Default: all."""
    ports: PortsSpec = Field(default_factory=PortsSpec)
    """Where ports come from."""
    models: dict[Name, ModelSpec] = Field(default={})
    """Models, by name."""
    services: dict[Name, ServiceSpec] = Field(default={})
    """Services, by name."""
    ready: list[HealthItem] = Field(default=[])
    """Validators for the environment as a whole, asked when every service is healthy."""
    start_timeout: PositiveDuration | None = None
    """Bounds `ready`, and is the default of the services' own."""
    faults: list[FaultSpec] = Field(default=[])
    """What is done to services on purpose, each at its time."""
