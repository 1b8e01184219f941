"""From a request to a plan: read, ask the host, take a directory, meet the agent, lease, resolve."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envspec.agent.identity import boot_id, pid_namespace, start_time
from envspec.agent.wire import Message
from envspec.models import SOURCES
from envspec.plan.codec import to_json
from envspec.plan.plan import Bindings, Plan
from envspec.session.agent_client import AgentClient
from envspec.session.event_log import Redact
from envspec.session.request import Request
from envspec.session.requirements import check_requirements
from envspec.session.state import PLAN, cache_directory, create_session_directory, usable, write_json

if TYPE_CHECKING:
    from envspec.spec.environment import Environment


def read(request: Request) -> Environment:
    """Return the environment that is asked for, once this host has what it requires.

    Raises:
        SpecError: the file is wrong.
        RequirementError: something is missing here.
    """
    # Here, not above: pydantic takes 150 ms to import, in which the agent comes up.
    from envspec.spec.load import load

    environment = load(request.file, sets=request.sets, environ=request.environ)
    check_requirements(environment, request.environ)
    return environment


def take_directory(environment: Environment, backend: str) -> tuple[Path, socket.socket]:
    """Make the session's directory, with the record by which others find it, and return its control socket, too.

    Raises:
        StateDirectoryError: it cannot be made.
    """
    return create_session_directory(
        environment.name,
        {
            "environment": environment.name,
            "file": str(environment.file.absolute()),
            "backend": backend,
            "pid": os.getpid(),
            "start_time": start_time(os.getpid()),
            "boot_id": boot_id(),
            "pid_namespace": pid_namespace(),
            "host": socket.gethostname(),
            "created": time.time(),
            "ended": None,
        },
    )


async def resolve_plan(
    environment: Environment, agent: AgentClient, directory: Path, tmp: str, environ: Mapping[str, str]
) -> Plan:
    """Lease all ports and return the plan with their numbers in it.

    Raises:
        PortUnavailableError: one of them cannot be had; none is held then.
        SpecError: the file is wrong in a way that only shows when everything is rendered.
    """
    from envspec.resolve import port_requests, resolve

    requests = [to_json(item) for item in port_requests(environment)]
    leased = await agent.request("lease", requests=requests) if requests else {}
    bindings = Bindings(
        session=directory.name,
        directory=str(directory),
        tmp=tmp,
        ports=_numbers(leased.get("ports", {})),
        models={name: str(_model_path(model)) for name, model in environment.models.items()},
    )
    return resolve(environment, bindings, environ)


def _numbers(leased: Message) -> dict[str, dict[str, tuple[int, ...]]]:
    return {replica: {port: tuple(numbers) for port, numbers in ports.items()} for replica, ports in leased.items()}


def _model_path(model: Any) -> Path:
    source = SOURCES[model.source]
    return source.cached_path(source.options(**model.options), cache_directory())


def write_plan(plan: Plan, directory: Path, redact: Redact) -> None:
    """Keep the plan, without secrets, beside the session's events.

    Raises:
        StateDirectoryError: there is no room for it.
    """
    with usable(directory):
        write_json(directory / PLAN, redact(to_json(plan)))
