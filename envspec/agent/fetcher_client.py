"""The agent's side of the fetcher: jobs go out, their ends come in, and one that dies is replaced when next needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import NamedTuple

from envspec.agent.calls import Node
from envspec.agent.family import SESSION_TAG
from envspec.agent.loop import Timer
from envspec.agent.piped import Listener, PipedChild, Program, last_line
from envspec.agent.program import SpawnError
from envspec.agent.reaper import Exit
from envspec.agent.wire import Message

LOG = "fetcher.log"
IDLE = 2.0
"""Seconds without a job after which the fetcher is ended: it holds 60 MB with its libraries, and sessions are long."""
GRACE = 1.0
"""Seconds that it has to clear up; it takes a fifth of one."""
TOLD = ("progress", "waiting", "retrying")
"""Notices that are passed on to the session."""


class Job(NamedTuple):
    """What the fetcher is asked to do for a model. `on_end` gets its last notice: done or failed."""

    do: str
    model: Message
    on_end: Callable[[Message], None]


class FetcherClient:
    """At most one fetcher process, and the jobs that it has not ended."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._child: PipedChild | None = None
        self._jobs: dict[str, Job] = {}
        self._keys = map(str, count())
        self._idle = Timer(self.end)

    def ask(self, job: Job) -> None:
        """Give the fetcher a job; start it where there is none."""
        self._idle.cancel()
        try:
            child = self._child = self._child or self._spawn()
        except SpawnError as error:
            job.on_end(failed(f"the process that gets models cannot be started: {error}"))
            return
        key = next(self._keys)
        self._jobs[key] = job
        child.send({"key": key, "do": job.do, "model": job.model})

    def end(self) -> None:
        """End the fetcher, with whatever it does. It clears that away; where it cannot, nobody trusts it."""
        child, self._child = self._child, None
        if child is not None:
            child.terminate()
            self._node.loop.after(GRACE, child.kill)

    def _spawn(self) -> PipedChild:
        """Start one, with jobs of its own: those of its predecessor may not have failed yet."""
        jobs: dict[str, Job] = {}
        self._jobs = jobs
        argv = (self._node.python, "-P", "-m", "envspec.models.fetcher")
        env = {SESSION_TAG: self._node.session}  # for others who wait for what it gets
        program = Program(argv, str(self._node.folder), self._node.directory / LOG, env)
        listener = Listener(partial(self._heard, jobs), partial(self._died, jobs))
        return PipedChild(self._node.loop, self._node.reaper, program, listener)

    def _heard(self, jobs: dict[str, Job], message: Message) -> None:
        key, what = str(message.get("key")), message.get("notice")
        job = jobs.get(key)
        if job is None:
            return
        if what in TOLD:
            said = {name: value for name, value in message.items() if name not in ("key", "notice")}
            self._node.notify("model", droppable=what == "progress", model=job.model["name"], what=what, **said)
            return
        del jobs[key]
        if jobs is self._jobs and not jobs:
            self._idle = self._node.loop.after(IDLE, self.end)
        job.on_end(message)

    def _died(self, jobs: dict[str, Job], how: Exit) -> None:
        if jobs is self._jobs:
            self._child = None
        log = self._node.directory / LOG
        ending = f"was ended by {how.signal}" if how.signal else f"ended with exit code {how.exit_code}"
        why = failed(f"the process that gets models {ending}; its last words: {last_line(log)}", f"see {log}")
        for job in list(jobs.values()):
            job.on_end(why)
        jobs.clear()


def failed(message: str, hint: str = "") -> Message:
    """Return the last notice of a job of which the fetcher cannot say itself that it failed."""
    return {"notice": "failed", "error": "ModelUnavailableError", "message": message, "hint": hint}
