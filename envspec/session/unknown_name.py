"""A name that is no service's and no replica's of an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envspec.errors import UsageError


def unknown_name(name: str, environment: str, services: Mapping[str, Sequence[str]]) -> UsageError:
    """Return the error that says what could have been meant; `services` are the replicas of each."""
    service = name.rpartition(".")[0]
    if service in services:
        return UsageError(f"there is no replica {name!r}", hint=_replicas(service, services[service]))
    message = f"the environment {environment} has no service {name!r}"
    return UsageError(message, hint=f"it has: {', '.join(services)}")


def _replicas(service: str, replicas: Sequence[str]) -> str:
    if len(replicas) > 1:
        return f"{service} has the replicas {replicas[0]} … {replicas[-1]}"
    return f"{service} has the one replica {replicas[0]}"
