"""From a request to a plan: read, ask the host, take a directory, meet the agent, lease, resolve."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from envspec.agent.identity import boot_id, pid_namespace, start_time
from envspec.agent.wire import Message
from envspec.backends.local import LocalBackend
from envspec.plan.codec import to_json
from envspec.plan.events import SessionStarting
from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, Plan, is_behind
from envspec.plan.redact import redacted, secrets_of
from envspec.session.agent_client import AgentClient
from envspec.session.draft import Draft, draft
from envspec.session.event_log import EventLog, Redact
from envspec.session.programs import missing_programs
from envspec.session.request import Request
from envspec.session.requirements import check_requirements
from envspec.session.room import make_room
from envspec.session.state import (
    EVENTS,
    PLAN,
    create_session_directory,
    make_state_directory,
    usable,
    write_json,
)


class Supply(NamedTuple):
    """What a session gives to a plan, and the models that are complete already."""

    bindings: Bindings
    complete: frozenset[str]


def read(request: Request) -> Draft:
    """Return the environment that is asked for, once this host has what it requires.

    Raises:
        SpecError: the file is wrong.
        RequirementError: something is missing here; names what else services lack to be started, all at once.
    """
    found = draft(request)

    def programs(told: Collection[str]) -> list[str]:
        if request.backend != LocalBackend.name:
            return []
        plan, bindings = found.sketch()
        secrets = secrets_of([request.environ], plan)
        return [str(redacted(sentence, secrets)) for sentence in missing_programs(plan, bindings.made, told)]

    check_requirements(found.outline, request.environ, programs)
    return found


def take_directory(environment: Outline, backend: str, *, detached: bool) -> tuple[Path, socket.socket]:
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
            "detached": detached,
            "pid": os.getpid(),
            "start_time": start_time(os.getpid()),
            "boot_id": boot_id(),
            "pid_namespace": pid_namespace(),
            "host": socket.gethostname(),
            "created": time.time(),
            "ended": None,
        },
    )


def announce(outline: Outline, directory: Path, backend: str, log: EventLog) -> None:
    """Begin the record of a session's events with the session itself.

    Raises:
        StateDirectoryError: there is no room for it.
    """
    with usable(directory):
        log.open(directory / EVENTS)
    log.record(
        SessionStarting(
            session=directory.name,
            environment=outline.name,
            file=outline.file,
            directory=str(directory),
            pid=os.getpid(),
            backend=backend,
        )
    )


async def supply(outline: Outline, agent: AgentClient, directory: Path, tmp: str) -> Supply:
    """Lease all ports, and meanwhile find out where the models are or will be.

    Raises:
        PortUnavailableError: one of the ports cannot be had; none is held then.
        ModelUnavailableError: where a model will be hangs on its commit, and the hub cannot be asked for that.
    """
    if any(is_behind(request.port) for request in outline.ports):
        await agent.request("prepare_relay")
    ports, models = await asyncio.gather(_lease(outline, agent), _find(outline, agent))
    bindings = Bindings(
        session=directory.name,
        directory=str(directory),
        tmp=tmp,
        ports=ports,
        models={name: found["path"] for name, found in models.items()},
        commits={name: found["commit"] for name, found in models.items() if found["commit"]},
    )
    return Supply(bindings, frozenset(name for name, found in models.items() if found["complete"]))


async def _lease(outline: Outline, agent: AgentClient) -> dict[str, dict[str, tuple[int, ...]]]:
    if not outline.ports:
        return {}
    leased = await agent.request("lease", requests=[to_json(item) for item in outline.ports])
    return {
        replica: {port: tuple(numbers) for port, numbers in ports.items()} for replica, ports in leased["ports"].items()
    }


async def _find(outline: Outline, agent: AgentClient) -> dict[str, Message]:
    if not outline.models:
        return {}
    answer = await agent.request("find", models=[to_json(model) for model in outline.models])
    found: dict[str, Message] = answer["models"]
    return found


def write_plan(plan: Plan, directory: Path, redact: Redact) -> None:
    """Keep the plan, without secrets, beside the session's events.

    Raises:
        StateDirectoryError: there is no room for it.
    """
    with usable(directory):
        write_json(directory / PLAN, redact(to_json(plan)))
