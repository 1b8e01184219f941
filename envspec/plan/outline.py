"""What is known of an environment before anything is leased: enough to ask the host, and to lease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from envspec.plan.plan import ModelPlan, PortRequest
from envspec.record import Record


class Requirements(Record):
    """What the host must have, from the file and from the entries of services that will be started.

    `memory` and `disk` are bytes. `extras` maps a command or module to the extra of envspec that provides it, and
    `needed_by` to the services that need it.
    """

    os: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    memory: int = 0
    disk: int = 0
    extras: Mapping[str, str] = field(default_factory=dict)
    needed_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Outline(Record):
    """An environment's name and place, what it requires, and what must be leased. Its models have no path yet."""

    name: str
    file: str
    directory: str
    requires: Requirements
    ports: tuple[PortRequest, ...]
    models: tuple[ModelPlan, ...]
