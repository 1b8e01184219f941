"""The agent's side of the prober: jobs go out, answers come in, and a prober that dies is replaced."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from envspec.agent.calls import Node
from envspec.agent.piped import PipedChild, Program, last_line
from envspec.agent.processes import SpawnError
from envspec.agent.reaper import Exit
from envspec.agent.wire import Message

LOG = "prober.log"
QUICK_DEATH = 5.0
"""Seconds within which a prober's death is counted: it cannot start, or something that it is asked kills it."""
DEATHS = 3
"""Quick deaths in a row after which jobs hear of it; from then on another prober is tried every RETRY seconds."""
RETRY = 1.0


OnNotice = Callable[[Message], None]


class Job(NamedTuple):
    """What the prober is asked to do. `on_notice` gets its notices: answer, done, unhealthy."""

    message: Message
    on_notice: OnNotice


class ProberClient:
    """One prober process, and the jobs that it has not finished."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._jobs: dict[str, Job] = {}
        self._child: PipedChild | None = None
        self._deaths = 0
        self._started = 0.0
        self._closed = False
        self._spawn()

    @property
    def pid(self) -> int | None:
        """The prober's pid, None while there is none."""
        return self._child.pid if self._child else None

    def ask(self, key: str, job: Job) -> None:
        """Give the prober a job. A job with the same key is replaced."""
        self._jobs[key] = job
        job.message["key"] = key
        if self._child is not None:
            self._child.send(job.message)

    def go(self, key: str) -> None:
        """Let a job begin that was given with `held`."""
        job = self._jobs.get(key)
        if job is not None:
            job.message["held"] = False
            if self._child is not None:
                self._child.send({"key": key, "do": "go"})

    def cancel(self, key: str) -> bool:
        """Take a job back; return whether there was one. Nothing is heard of it any more."""
        known = self._jobs.pop(key, None) is not None
        if known and self._child is not None:
            self._child.send({"key": key, "do": "cancel"})
        return known

    def tell(self, key: str) -> bool:
        """Have a job report its last answers, and `told` behind them; False where nobody asks its checks now."""
        if key not in self._jobs or self._child is None:
            return False
        self._child.send({"key": key, "do": "tell"})
        return True

    def close(self) -> None:
        """End the prober for good."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _spawn(self) -> None:
        if self._closed:
            return
        argv = (self._node.python, "-P", "-m", "envspec.agent.prober")
        program = Program(argv, str(self._node.folder), self._node.directory / LOG)
        self._started = time.monotonic()
        try:
            self._child = PipedChild(self._node, program, self._heard, self._died)
        except SpawnError as error:
            self._unavailable(str(error))
            return
        for job in self._jobs.values():
            self._child.send(job.message)

    def _heard(self, message: Message) -> None:
        if message.get("notice") == "sick" and self._child is not None:
            # Too many probes hang in its threads, which nobody can end. Its jobs go to the next one.
            self._child.kill()
        job = self._jobs.get(str(message.get("key")))
        if job is None:
            return
        if message.get("notice") == "done":
            del self._jobs[str(message["key"])]
        job.on_notice(message)

    def _died(self, how: Exit) -> None:
        self._child = None
        quick = time.monotonic() - self._started < QUICK_DEATH
        self._deaths = self._deaths + 1 if quick else 0
        if self._deaths < DEATHS:
            self._spawn()
        else:
            ending = how.signal or f"exit code {how.exit_code}"
            said = last_line(self._node.directory / LOG)
            self._unavailable(f"the prober died {self._deaths} times in a row ({ending}): {said}")

    def _unavailable(self, text: str) -> None:
        """Tell all jobs why nothing is asked; end those that somebody waits for; try again later."""
        for key, job in list(self._jobs.items()):
            for check in job.message["checks"]:
                answer = {"check": check["where"], "position": check["position"], "passed": False, "text": text}
                job.on_notice({"key": key, "notice": "answer", **answer, "tries": 0})
            if job.message.get("timeout") is not None or job.message["do"] == "once":
                self._jobs.pop(key, None)
                job.on_notice({"key": key, "notice": "done", "passed": False, "answers": []})
        self._node.loop.after(RETRY, self._spawn)
