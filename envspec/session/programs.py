"""Whether this machine has every command and working directory of a plan: asked before anything is started, in full."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from envspec.agent.program import DEFAULT_PATH, SpawnError, find_program
from envspec.errors import ServiceError, ServiceStartError
from envspec.plan.events import ReplicaFailed
from envspec.plan.plan import Plan, ReplicaPlan, ServicePlan
from envspec.session.event_log import EventLog, Redact
from envspec.session.failure import Failure, held_up, in_line


def check_programs(plan: Plan, made: Iterable[str], log: EventLog) -> None:
    """Return when every service has its command and working directory, but for what the environment can make first.

    `made` are the directories that a session fills. What a task is waited for may be made by it; the agent looks
    again, at whatever it starts. Of what lacks something, an event tells that it failed.

    Raises:
        ServiceStartError: with all that are missing.
    """
    failures = _failures(plan, [*made])
    for failure in failures:
        error = failure.error(log.redact)
        name, kind = failure.name, type(error).__name__
        log.record(ReplicaFailed(replica=name, error=kind, message=str(error), hint=error.hint))
    if failures:
        raise _error(failures, log.redact)


def missing_programs(plan: Plan, made: Iterable[str], told: Collection[str] = ()) -> list[str]:
    """Return a sentence for every service whose command is not here, as `check_programs` would refuse it.

    Services, and commands, that are `told` already are left out.
    """
    return [
        failure.sentence
        for failure in _failures(plan, [*made])
        if failure.replica is None or not {failure.replica.service, failure.replica.argv[0]} & {*told}
    ]


def _failures(plan: Plan, made: list[str]) -> list[Failure]:
    services = {service.name: service for service in plan.services}
    return [
        failure
        for service in plan.services
        if not service.attached and not _awaits_task(service, services)
        for failure in _missing(service, plan, made)
    ]


def _awaits_task(service: ServicePlan, services: Mapping[str, ServicePlan]) -> bool:
    others = [services[name] for name in service.depends_on]
    return any(other.kind == "task" or _awaits_task(other, services) for other in others)


def _missing(service: ServicePlan, plan: Plan, made: list[str]) -> Iterable[Failure]:
    services = {other.name for other in plan.services}
    for replica in service.replicas:
        try:
            if not service.depends_on:  # of one that waits, others may make it
                _find_directory(replica.cwd, made)
            if not _may_be_made(replica, made):
                find_program(replica.argv[0], replica.env.get("PATH", DEFAULT_PATH), replica.cwd)
        except SpawnError as error:
            sentence, hint = f"{replica.name}: {error}", replica.hint or pip_hint([replica.argv[0]])
            line = in_line(plan, replica, lambda _name: False)
            chains = held_up(plan, service.name, services, line)  # nothing has started yet: whoever depends on it waits
            yield Failure(ServiceStartError, sentence, replica.name, hint=hint, replica=replica, held_up=chains)
            return  # its other replicas lack the same


def _find_directory(cwd: str, made: list[str]) -> None:
    if not Path(cwd).is_dir() and not any(cwd.startswith(each) for each in made):
        raise SpawnError(f"the working directory does not exist: {cwd}")


def pip_hint(commands: Iterable[str]) -> str:
    """Return the pip command that brings commands which entries of the catalog use; empty where none of them does."""
    from envspec.spec.catalog import extra_for  # it takes pydantic and time, and is asked only where something lacks

    extras = dict.fromkeys(filter(None, map(extra_for, commands)))
    return f"pip install 'envspec[{','.join(extras)}]'" if extras else ""


def _may_be_made(replica: ReplicaPlan, made: list[str]) -> bool:
    """Whether the program could come to be where it is sought, since a session makes that place."""
    name = replica.argv[0]
    parts = [name] if "/" in name else replica.env.get("PATH", DEFAULT_PATH).split(":")
    places = [str(Path(replica.cwd) / part) for part in parts]
    # A working directory that is not there yet can only be one that something makes.
    unsure = any(not Path(part).is_absolute() for part in parts) and not Path(replica.cwd).is_dir()
    return unsure or any(place.startswith(each) for place in places for each in made)


def _error(failures: list[Failure], redact: Redact) -> ServiceError:
    """Return one error for them all; that of the first, where it is the only one."""
    first = failures[0]
    if len(failures) == 1:
        return first.error(redact)
    lines = [f"- {failure.sentence}{_place(failure)}" for failure in failures]
    searched = dict.fromkeys(line for failure in failures for line in failure.searched())
    message = "\n".join([f"{len(failures)} services cannot be started here", "", *lines, *searched])
    hints = dict.fromkeys(failure.hint for failure in failures if failure.hint)
    details = {"missing": [failure.name for failure in failures]}
    return ServiceStartError(
        redact(message), service=first.name, hint=redact("\n".join(hints)), details=redact(details)
    )


def _place(failure: Failure) -> str:
    return f", {failure.replica.position}" if failure.replica and failure.replica.position else ""
