"""From a request to a plan: read, ask the host, take a directory, meet the agent, lease, resolve."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from envspec.agent.identity import boot_id, pid_namespace, start_time
from envspec.agent.wire import Message
from envspec.models import SOURCES
from envspec.models.source import Host
from envspec.plan.codec import to_json
from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, ModelPlan, Plan
from envspec.session.agent_client import AgentClient
from envspec.session.draft import Draft, draft
from envspec.session.event_log import Redact
from envspec.session.request import Request
from envspec.session.requirements import check_requirements
from envspec.session.room import make_room
from envspec.session.state import (
    PLAN,
    create_session_directory,
    make_state_directory,
    usable,
    write_json,
)


def read(request: Request) -> Draft:
    """Return the environment that is asked for, once this host has what it requires.

    Raises:
        SpecError: the file is wrong.
        RequirementError: something is missing here.
    """
    found = draft(request)
    check_requirements(found.outline, request.environ)
    return found


def take_directory(environment: Outline, backend: str) -> tuple[Path, socket.socket]:
    """Make the session's directory, with the record by which others find it, and return its control socket, too.

    Raises:
        StateDirectoryError: it cannot be made.
    """
    make_room(make_state_directory())
    return create_session_directory(
        environment.name,
        {
            "environment": environment.name,
            "file": str(Path(environment.file).absolute()),
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


async def resolve_plan(found: Draft, agent: AgentClient, directory: Path, tmp: str) -> Plan:
    """Lease all ports and return the plan with their numbers in it.

    Raises:
        PortUnavailableError: one of them cannot be had; none is held then.
        SpecError: the file is wrong in a way that only shows when everything is rendered.
    """
    requests = [to_json(item) for item in found.outline.ports]
    leased = await agent.request("lease", requests=requests) if requests else {}
    bindings = Bindings(
        session=directory.name,
        directory=str(directory),
        tmp=tmp,
        ports=_numbers(leased.get("ports", {})),
        models={model.name: _model_path(model) for model in found.outline.models},
    )
    return found.plan(bindings)


def _numbers(leased: Message) -> dict[str, dict[str, tuple[int, ...]]]:
    return {replica: {port: tuple(numbers) for port, numbers in ports.items()} for replica, ports in leased.items()}


def _model_path(model: ModelPlan) -> str:
    source = SOURCES[model.source]
    return source.find(source.options(**model.options), Host.of(os.environ)).path


def write_plan(plan: Plan, directory: Path, redact: Redact) -> None:
    """Keep the plan, without secrets, beside the session's events.

    Raises:
        StateDirectoryError: there is no room for it.
    """
    with usable(directory):
        write_json(directory / PLAN, redact(to_json(plan)))
