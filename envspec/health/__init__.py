"""HEALTHY? One class of fields with its `probe` for each validator, in one file, and one line in this table.

Everything here imports the standard library alone; what a validator needs beyond it is imported by its `probe`, which
runs in the prober.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envspec.health.base import Validator
from envspec.health.etcd import Etcd
from envspec.health.exec import Exec
from envspec.health.grpc import Grpc
from envspec.health.http import Http
from envspec.health.log import Log
from envspec.health.nats import Nats
from envspec.health.openai import Openai
from envspec.health.python import Python
from envspec.health.tcp import Tcp
from envspec.health.tls import Tls

VALIDATORS: dict[str, type[Validator]] = {
    "tcp": Tcp,
    "http": Http,
    "grpc": Grpc,
    "exec": Exec,
    "log": Log,
    "python": Python,
    "etcd": Etcd,
    "nats": Nats,
    "openai": Openai,
}
"""The keys of `health` and `ready`."""

ACTIONS: dict[str, type[Validator]] = {"http": Http, "exec": Exec, "python": Python}
"""The keys of `after_healthy` and `reset`: validators that may also do something."""


def build(kind: str, fields: Mapping[str, Any]) -> Validator:
    """Return the validator that a plan's check names, from the plain values that the plan holds.

    Raises:
        TypeError: `fields` has a name that the validator does not know.
    """
    known = dict(fields)
    if isinstance(known.get("tls"), Mapping):
        known["tls"] = Tls(**known["tls"])
    return VALIDATORS[kind](**known)
