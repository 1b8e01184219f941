"""Asking some checks of a replica once, whatever for."""

from __future__ import annotations

from envspec.agent.wire import Message
from envspec.plan.codec import to_json
from envspec.plan.plan import Check, ReplicaPlan
from envspec.session.agent_client import AgentClient


async def ask_once(agent: AgentClient, plan: ReplicaPlan, checks: tuple[Check, ...], why: str) -> Message:
    """Ask each check one time, in order, until one does not pass; return `passed` and the `answers`.

    Raises:
        BackendError: the agent is gone.
    """
    return await agent.request(
        "check",
        key=f"{why} {plan.name}",
        checks=to_json(checks),
        replica=plan.name,
        env=dict(plan.env),
        cwd=plan.cwd,
        mode="once",
        timeout=max(check.timeout for check in checks),
    )
