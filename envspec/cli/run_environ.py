"""The variables by which a command that `envspec run` starts finds the services."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from envspec.session.status import ReplicaStatus, SessionStatus


def variables(status: SessionStatus) -> dict[str, str]:
    """Return ENVSPEC_SESSION, and for each port ENVSPEC_<SERVICE>_<PORT>_URL, _PORT and _HOST.

    Replicas are ENVSPEC_WORKER_0_…; where a service has one, ENVSPEC_WORKER_… as well. A block of ports is given by
    its first, and by all of them, comma-separated, in _PORTS.
    """
    count = Counter(replica.service for replica in status.services.values())
    found = {"ENVSPEC_SESSION": status.id}
    for replica in status.services.values():
        names = {replica.name.replace(".", "_")} | ({replica.service} if count[replica.service] == 1 else set())
        for name in names:
            found.update(_of_replica(name, replica))
    return found


def _of_replica(name: str, replica: ReplicaStatus) -> Iterator[tuple[str, str]]:
    for port, number in replica.ports.items():
        prefix = f"ENVSPEC_{name}_{port}".upper()
        yield from _of_port(prefix, replica.host, number, replica.endpoints.get(port))


def _of_port(prefix: str, host: str, number: Any, endpoint: Any) -> Iterator[tuple[str, str]]:
    numbers = number if isinstance(number, list) else [number]
    url = str(endpoint[0] if isinstance(endpoint, list) else endpoint)
    yield f"{prefix}_URL", url
    yield f"{prefix}_PORT", str(numbers[0])
    yield f"{prefix}_HOST", _host(url) or host
    if isinstance(number, list):
        yield f"{prefix}_PORTS", ",".join(map(str, numbers))


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition(":")[0].strip("[]")


def environ_of(status: SessionStatus, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of the command."""
    return {**inherited, **variables(status)}
