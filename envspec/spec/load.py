"""From a file to an environment whose shape is known: read, layer, work out the vars, settle the shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envspec.errors import SpecError
from envspec.spec import variables
from envspec.spec.assembly import assemble
from envspec.spec.base import part_of
from envspec.spec.declared import models_of, requirements_of
from envspec.spec.dependencies import note_cycles
from envspec.spec.environment import Environment
from envspec.spec.environment_file import EnvironmentFile
from envspec.spec.find import name_of, project_of
from envspec.spec.findings import Findings
from envspec.spec.inputs import Surroundings
from envspec.spec.layers import is_null, without_null_entries
from envspec.spec.nodes import MapNode
from envspec.spec.port_room import note_crowded
from envspec.spec.ports import note_clashes
from envspec.spec.rendering import Scope, render_node
from envspec.spec.scope import SHAPE
from envspec.spec.service_spec import build
from envspec.spec.shape import Shaping, early_objects, shape_services
from envspec.spec.written import named, read_layers, top_keys

HEAD_KEYS = frozenset({"version", "description", "requires", "inherit_env", "ports", "start_timeout"})
"""Top keys that are settled with the shape; `env` and `ready` wait for ports."""


def load(file: Path, *, sets: Mapping[str, str] | None = None, environ: Mapping[str, str]) -> Environment:
    """Return the environment that a file describes. `sets` are the caller's `--set`, `environ` its environment.

    Raises:
        SpecError: with everything that is wrong with its shape, in the order of the file.
    """
    findings = Findings()
    environment = examine(file, sets or {}, environ, findings)
    findings.raise_if_any()
    if environment is None:
        message = f"{file} gave neither an environment nor a finding"
        raise AssertionError(message)
    return environment


def declared_vars(file: Path) -> frozenset[str]:
    """Return the names under `vars` of a file and of those that it extends; none where it cannot be read."""
    findings = Findings()
    try:
        written = read_layers(file, findings).get("vars")
    except SpecError:
        return frozenset()
    return frozenset(key.text for key, _ in named(written, "var", findings))


def examine(file: Path, sets: Mapping[str, str], environ: Mapping[str, str], findings: Findings) -> Environment | None:
    """Return as much of the environment as can be made out, with what is wrong noted; None for what is no YAML."""
    try:
        root = read_layers(file, findings)
    except SpecError as error:
        findings.diagnostics.extend(error.diagnostics)
        return None
    findings.judge_within(root)
    return examine_tree(root, file, sets, environ, findings)


def examine_tree(
    root: MapNode, file: Path, sets: Mapping[str, str], environ: Mapping[str, str], findings: Findings
) -> Environment:
    """Return as much as can be made out of the environment that `root` says, as if it stood in `file`."""
    build()
    tree = top_keys(root, findings)
    values = variables.evaluate(tree, sets, environ, findings)
    scope = Scope(SHAPE, {"vars": values, "env": environ, "matrix": {}})
    head = _head(tree, scope, findings)
    models = models_of(tree.get("models"), scope, findings)
    layered = assemble(tree.get("services"), scope.names, findings)
    shaping = Shaping(scope.names, models, head.ports, findings)
    services = shape_services(layered, shaping)
    note_clashes(services.values(), findings)
    note_crowded(services.values(), findings)
    note_cycles(services, findings)
    around = Surroundings(scope.names, shaping.model_objects(), early_objects(services))
    directory = file.parent.absolute()
    return Environment(
        name=name_of(file),
        file=file,
        directory=directory,
        project=project_of(directory),
        tree=tree,
        description=head.description,
        start_timeout=head.start_timeout,
        inherit_env=None if head.inherit_env is None else tuple(head.inherit_env),
        host=head.ports.host,
        vars=values,
        models=models,
        services=services,
        requires=requirements_of(head.requires, services.values(), around, findings),
    )


def _head(tree: MapNode, scope: Scope, findings: Findings) -> EnvironmentFile:
    """Return the settled top keys; one that is wrong is noted, and counts as not written."""
    good: dict[str, Any] = {}
    for key, node in tree.items:
        if key.text not in HEAD_KEYS or is_null(node):
            continue
        rendered = render_node(key.text, node, scope, findings)
        if rendered is None:
            continue
        rendered = without_null_entries(rendered)
        one = findings.validated(part_of(EnvironmentFile, key.text), MapNode(tree.mark, ((key, rendered),)))
        if one is not None:
            good[key.text] = getattr(one, key.text)
    note_range_names(tree, findings)
    return EnvironmentFile.model_construct(**{**_defaults(), **good})


def _defaults() -> dict[str, Any]:
    return {name: field.get_default(call_default_factory=True) for name, field in EnvironmentFile.model_fields.items()}


def note_range_names(tree: MapNode, findings: Findings) -> None:
    """Note named ranges whose names cannot be said."""
    ports = tree.get("ports")
    if isinstance(ports, MapNode):
        named(ports.get("ranges"), "port range", findings)
