"""All probers of an agent: envspec's, one for code and libraries of the user's, and one for each check that cost one.

The first is a fork of the agent and has the standard library alone, the others run with the user's interpreter
(docs/adr/0012). A callback runs in the prober itself, and one that never lets go of the interpreter (a regular
expression without end), or stops or ends the process, keeps it from asking anything else. It is found by the prober's
silence or death; from then on it has a prober of its own, where it harms nobody, and where it is certain whose fault it
is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from envspec.agent.calls import Node
from envspec.agent.piped import PipedChild
from envspec.agent.prober_client import DEATHS, ProberClient, branch_prober
from envspec.agent.prober_job import Asked, Job, Loss
from envspec.agent.wire import Message

Suspect = tuple[str, str]
"""A check by the replica that it is asked of and its place in the file."""


class Probers:
    """Gives every job to the prober that it belongs to."""

    def __init__(self, node: Node, early: PipedChild | None = None) -> None:
        self._node = node
        self._shared = ProberClient(node, sys.executable, self._lost, early or branch_prober(node.loop, node.reaper))
        self._users: ProberClient | None = None
        self._own: dict[Suspect, ProberClient] = {}
        self._places: dict[str, ProberClient] = {}

    def ask(self, key: str, job: Job) -> None:
        """Have a job's checks asked. A job with the same key is replaced."""
        own = next((self._own[suspect] for suspect in _suspects(job) if suspect in self._own), None)
        place = own or self._home(job)
        if place is not self._place(key):
            self.cancel(key)
        if place is not self._shared:
            self._places[key] = place
        place.ask(key, job)

    def go(self, key: str) -> None:
        """Let a job begin that was given with `held`."""
        self._place(key).go(key)

    def step_forward(self, key: str) -> None:
        """Have a job that was given with `behind` asked now, and often."""
        self._place(key).step_forward(key)

    def cancel(self, key: str) -> bool:
        """Take a job back; return whether there was one. Nothing is heard of it any more."""
        return self._leave(key).cancel(key)

    def tell(self, key: str) -> bool:
        """Have a job report its last answers, and `told` behind them; False where nobody asks its checks now."""
        return self._place(key).tell(key)

    def retire(self, key: str) -> bool:
        """Take a job back as `cancel` does, but have it report as `tell` does; False where there is nothing to."""
        return self._leave(key).retire(key)

    def close(self) -> None:
        """End all probers for good."""
        for place in (self._shared, self._users, *self._own.values()):
            if place is not None:
                place.close()

    def _home(self, job: Job) -> ProberClient:
        """Return the prober of those that have harmed nobody: ours, or where a check needs it, the user's."""
        from envspec.health import VALIDATORS  # not above: nothing of it is needed before hello

        kinds = [VALIDATORS[check["kind"]] for check in job.message["checks"]]
        if not any(kind.in_users_python or kind.needs for kind in kinds):
            return self._shared
        self._users = self._users or ProberClient(self._node, self._node.python, self._lost)
        return self._users

    def _place(self, key: str) -> ProberClient:
        return self._places.get(key, self._shared)

    def _leave(self, key: str) -> ProberClient:
        return self._places.pop(key, self._shared)

    def _lost(self, asked: Sequence[Asked], loss: Loss) -> None:
        """Tell of those that may have cost a prober that they share, and let each have one of its own."""
        for key, job, checks in asked:
            check = checks[0]  # a job asks them one by one
            suspect = (job.message["replica"], check["where"])
            alone = "" if len(asked) == 1 else f", or another of the {len(asked)} that were being asked did"
            text = f"it {loss.did.format('the prober')}{alone}"
            self._warn(job, f"{check['where']}: {text}; it is asked in a prober of its own from now on")
            job.losses += len(asked) == 1
            job.no_answer(check, text)
            if suspect not in self._own:
                self._own[suspect] = ProberClient(self._node, self._node.python, partial(self._own_lost, suspect))
            if self._place(key).release(key):
                self._places[key] = self._own[suspect]
                self._own[suspect].ask(key, job)

    def _own_lost(self, suspect: Suspect, asked: Sequence[Asked], loss: Loss) -> None:
        """Tell what a check has done to its own prober, and end a job that has no hope or no time for another try."""
        place = self._own[suspect]
        for key, job, checks in asked:
            job.losses += 1
            order, text = job.message, f"it {loss.did.format('its prober')}"
            if order["do"] == "live":
                if job.losses >= order["failures"] and place.release(key):
                    self._tell_unhealthy(job, checks[0], f"{text}, {job.losses} times in a row")
            elif (job.losses >= DEATHS or order["do"] == "once") and place.release(key):
                often = f" {job.losses} times in a row," if job.losses > 1 else ""
                job.fail([job.no_answer(checks[0], f"{text},{often} and is not asked again", loss.remedy)])
            else:
                job.no_answer(checks[0], text)

    def _tell_unhealthy(self, job: Job, check: Message, text: str) -> None:
        about = {"check": check["where"], "position": check["position"], "seconds": None, "tries": job.losses}
        job.on_notice({"key": job.message["key"], "notice": "unhealthy", "text": text, **about})

    def _warn(self, job: Job, message: str) -> None:
        self._node.notify("warning", replica=job.message["replica"], message=message)


def _suspects(job: Job) -> list[Suspect]:
    return [(job.message["replica"], check["where"]) for check in job.message["checks"]]
