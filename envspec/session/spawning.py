"""Asks the agent for a process, and does not wait for ever until that executes its program."""

from __future__ import annotations

import asyncio

from envspec.agent.wire import Message
from envspec.errors import ServiceStartError, StateDirectoryError
from envspec.plan.codec import to_json
from envspec.plan.plan import ReplicaPlan
from envspec.session.agent_client import AgentClient
from envspec.session.attempt import Attempt
from envspec.session.explain import Explainer

KILL_PATIENCE = 10.0
"""Seconds for the agent to end a process that has not executed its program: SIGKILL and reaping take five at most."""


async def spawned(agent: AgentClient, plan: ReplicaPlan, attempt: Attempt, explain: Explainer) -> Message:
    """Return the agent's answer once the program of a start is executed.

    Raises:
        ServiceStartError: it cannot be, or is not within `start_timeout`; there is no process then.
        AgentLostError: the agent is lost, or is now, because it did not even answer that the process be ended.
    """
    limit = asyncio.timeout(None)
    expiry = asyncio.create_task(_expire(limit, plan.start_timeout, explain))
    try:
        async with limit:  # in this very task: what the agent says next is for who knows the answer already
            return await agent.request("start", replica=to_json(plan), start=attempt.number)
    except (ServiceStartError, StateDirectoryError) as error:
        raise await explain.not_started(attempt, error) from error
    except TimeoutError:
        await agent.request_within(KILL_PATIENCE, "stop", replica=plan.name, signal="KILL", timeout=0.0)
        raise await explain.not_executed(attempt) from None
    finally:
        expiry.cancel()


async def _expire(limit: asyncio.Timeout, seconds: float, explain: Explainer) -> None:
    """Let the time be up, once what was said in time is heard: the session may have stood still itself."""
    await asyncio.sleep(seconds)
    await explain.hear_last_answers()
    limit.reschedule(asyncio.get_running_loop().time())
