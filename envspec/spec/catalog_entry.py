"""A catalog entry: a service definition with typed inputs, used by `use:`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from envspec.spec.base import Name, Spec
from envspec.spec.requires_spec import RequiresSpec
from envspec.spec.service_spec import ServiceSpec

InputType = Literal["string", "int", "float", "bool", "list", "map", "model", "service"]


class InputSpec(Spec):
    """A parameter of a catalog entry, given by `with:`. One without `default` must be given."""

    type: InputType
    """`model` and `service` take a name of the environment and give the object; the others give the value."""
    default: Any = None
    """A literal. A `service` default is null where no such service is declared and enabled. Not written: the input
    must be given."""
    choices: list[Any] | None = None
    """The only values that are allowed."""
    description: str = ""
    """What it is for, in one sentence."""


class CatalogEntry(Spec):
    """A ready-made service. Its templates see `inputs`, `session`, `project` and what is the service's own."""

    version: Literal[1] = 1
    """The version of the file format."""
    description: str = ""
    """What the service is, in one sentence."""
    extra: str | None = None
    """The extra of envspec that provides its commands and modules: `local` for `pip install 'envspec[local]'`. A
    template of it sees `inputs`."""
    inputs: dict[Name, InputSpec] = Field(default={})
    """Its parameters, by name."""
    requires: RequiresSpec = Field(default_factory=RequiresSpec)
    """What the host must have, added to the environment's own where the service is enabled and not attached."""
    service: ServiceSpec
    """The service itself, the lowest layer under the keys of whoever uses it."""
