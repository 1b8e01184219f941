"""A file that was read: layered, its shape known, its texts still templates.

The shape is what can be said before anything is leased: which services there are, how many replicas, which ports. The
rest of a service waits in `Service.tree` until there are numbers to render it with (envspec.resolve).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Literal

from envspec.plan.outline import Requirements
from envspec.plan.plan import Condition, Endpoint, Kind, ReplicaOrder
from envspec.record import Record
from envspec.spec.catalog_entry import InputSpec
from envspec.spec.nodes import MapNode, Mark, Node


class Port(Record):
    """A named port of a service. `ranges` are inclusive; `block` says that `count` is written: templates see a list.

    With a relay, its number is the relay's, and `behind` are the ranges of the one that the service itself listens on.
    """

    name: str
    mark: Mark
    ranges: tuple[tuple[int, int], ...]
    fixed: int | None
    count: int
    block: bool
    max: int
    hold: Literal["keep", "release"]
    scheme: str
    behind: tuple[tuple[int, int], ...] = ()

    @property
    def own(self) -> Port:
        """The port on which the service itself listens."""
        return replace(self, ranges=self.behind, fixed=None, behind=()) if self.behind else self


class Entry(Record):
    """A catalog entry: `service`, `requires` and `extra` as written, their templates see `inputs`.

    `faulty` are inputs whose declarations are wrong, which was told: what names one of them goes unjudged.
    """

    name: str
    file: str
    extra: Node | None
    description: str
    inputs: Mapping[str, InputSpec]
    requires: MapNode | None
    service: MapNode
    faulty: frozenset[str] = frozenset()


class Service(Record):
    """One service. `tree` holds its keys from all layers, unrendered; a node renders in the scope of its own file.

    `given` is what it hands to the entry by `with`, `use` where it names the entry, and `removed_ports` where it takes
    ports of the entry away. `shaped` says that its ports and `attach` are known. `attached` maps its ports to where
    they already are, one place for each number, and is None for a service that is to be started. A condition of None
    in `depends_on` is the default one.
    """

    name: str
    mark: Mark
    tree: MapNode
    entry: Entry | None = None
    given: Mapping[str, Node] = field(default_factory=dict)
    use: Mark | None = None
    removed_ports: Mapping[str, Mark] = field(default_factory=dict)
    enabled: bool = True
    kind: Kind = "service"
    replicas: int = 1
    replicas_written: bool = False
    start: ReplicaOrder = "parallel"
    description: str = ""
    ports: Mapping[str, Port] = field(default_factory=dict)
    shaped: bool = True
    attached: Mapping[str, tuple[Endpoint, ...]] | None = None
    depends_on: Mapping[str, Condition | None] = field(default_factory=dict)
    models: tuple[str, ...] = ()

    @property
    def position(self) -> str:
        """`file:line:column` of its name."""
        return position(self.mark)

    def replica_names(self) -> tuple[str, ...]:
        """Return what its replicas are called: `worker.0`, or `worker` where `replicas` is not written."""
        if not self.enabled:
            return ()
        if not self.replicas_written:
            return (self.name,)
        return tuple(f"{self.name}.{index}" for index in range(self.replicas))


class Model(Record):
    """A declared model. `source` is a key of `envspec.models.SOURCES`, `options` what that source takes.

    `mark` is where its name stands, `tree` what the file writes of it, unrendered.
    """

    name: str
    served_name: str
    source: str
    options: Mapping[str, Any]
    preload: bool
    warm: Literal["", "page-cache"]
    mark: Mark
    tree: MapNode

    @property
    def position(self) -> str:
        """`file:line:column` of what it says of its source."""
        said = self.tree.get(self.source)
        return position(self.mark if said is None else said.mark)

    @property
    def repo(self) -> str | None:
        """The repository of a model of the hub."""
        return self.options.get("repo")

    @property
    def revision(self) -> str:
        """The branch, tag or commit of a model of the hub, empty for any other."""
        return str(self.options.get("revision", ""))


class Environment(Record):
    """A whole environment file. `tree` holds its top keys from all layers; `env` and `ready` of it are unrendered."""

    name: str
    file: Path
    directory: Path
    project: Path
    tree: MapNode
    description: str = ""
    start_timeout: float | None = None
    inherit_env: tuple[str, ...] | None = None
    host: str = "127.0.0.1"
    vars: Mapping[str, Any] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    requires: Requirements = field(default_factory=Requirements)


def position(mark: Mark) -> str:
    """Return a place as people and editors write it."""
    return f"{mark.file}:{mark.line}:{mark.column}"
