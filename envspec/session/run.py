"""What the replicas of a session share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from envspec.errors import EnvspecError, ServiceExitedError
from envspec.plan.plan import Plan
from envspec.record import Record
from envspec.session.agent_client import AgentClient
from envspec.session.event_log import EventLog
from envspec.session.order import Order


class Run(Record):
    """The plan, who carries it out, and whom to tell.

    `on_up` hears of a replica that is healthy (a task: done), `on_lost` of one that failed and is not restarted.
    `waiting` holds the services of which nothing has started yet.
    """

    plan: Plan
    agent: AgentClient
    log: EventLog
    order: Order
    on_up: Callable[[str], None]
    on_lost: Callable[[str, BaseException], None]
    waiting: set[str] = field(default_factory=set)

    def is_awaited_end(self, service: str, error: EnvspecError) -> bool:
        """Whether `error` is the end of a task for which others wait, however it ends."""
        ends = [item.depends_on.get(service) == "exited" for item in self.plan.services]
        return isinstance(error, ServiceExitedError) and any(ends)
