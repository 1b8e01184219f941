"""The agent's side of the prober: jobs go out, answers come in, and a prober that dies is replaced."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from envspec.agent.calls import Node
from envspec.agent.loop import Loop
from envspec.agent.piped import Listener, PipedChild, Program, last_line
from envspec.agent.program import SpawnError
from envspec.agent.reaper import Exit, Reaper
from envspec.agent.wire import Message

LOG = "prober.log"
QUICK_DEATH = 5.0
"""Seconds within which a prober's death is counted: it cannot start, or something that it is asked kills it."""
DEATHS = 3
"""Quick deaths in a row after which jobs hear of it; from then on another prober is tried every RETRY seconds."""
RETRY = 1.0
GARBAGE = 50_000
"""As in envspec.__main__: new objects after which garbage is looked for; 4 of 85 ms that a prober needs to come up."""
STANDS_BACK = 5
"""By how much a prober, and what it runs, is nicer than services (setpriority(2)). Where these fill all cores it asks
less often, and comes up while they wait for one another: environments/local.yaml was healthy 3.5 % sooner."""

OnNotice = Callable[[Message], None]


@dataclass(eq=False)
class Job:
    """What the prober is asked to do. `on_notice` gets its notices: answer, told, done, unhealthy.

    Tries are counted by check: `tries` in the present prober, `spent` in those that died. `asking` are the checks
    that this one is asking, of those that might end it.
    """

    message: Message
    on_notice: OnNotice
    tries: dict[str, int] = field(default_factory=dict)
    spent: dict[str, int] = field(default_factory=dict)
    asking: set[str] = field(default_factory=set)

    def take(self, message: Message) -> None:
        """Count, and pass on what is not for the count alone."""
        match message["notice"]:
            case "asking":
                self.tries[message["check"]] = message["tries"]
                self.asking.add(message["check"])
            case "asked":
                self.asking.discard(message["check"])
            case "answer":
                self.on_notice(self._counted(message))
            case "done":
                self.on_notice({**message, "answers": [self._counted(answer) for answer in message["answers"]]})
            case _:
                self.on_notice(message)

    def total(self, check: str) -> int:
        """Return how often a check has been asked, as far as it is known."""
        return self.spent.get(check, 0) + self.tries.get(check, 0)

    def outlive(self) -> None:
        """Begin to count anew: the prober is no more."""
        self.spent = {check: self.total(check) for check in {*self.spent, *self.tries}}
        self.tries.clear()
        self.asking.clear()

    def _counted(self, answer: Message) -> Message:
        self.tries[answer["check"]] = answer["tries"]
        return {**answer, "tries": self.total(answer["check"])}


def early_prober(loop: Loop, reaper: Reaper) -> PipedChild | None:
    """Start a prober before it is known for which session, to be taken over by a ProberClient.

    It needs 80 ms of the CPU to come up, and NATS only 25, which then waited for the first question (36 ms from spawn
    to healthy, 50 with a prober that starts at hello). Nobody hears of one that fails: it will be started again, in
    its place and with its log.
    """
    if not all(map(os.path.isabs, (os.environ.get("PYTHONPATH") or "/").split(os.pathsep))):
        return None  # what it imports hangs on the folder that it starts in
    try:
        return PipedChild(loop, reaper, Program(_argv(sys.executable), "/", Path(os.devnull)))
    except (SpawnError, OSError):
        return None


def _argv(python: str) -> tuple[str, ...]:
    code = f"import gc, os; os.nice({STANDS_BACK}); gc.set_threshold({GARBAGE}); "
    code += "from envspec.agent.prober import main; main()"
    return (python, "-P", "-c", code)


class ProberClient:
    """One prober process, and the jobs that it has not finished."""

    def __init__(self, node: Node, early: PipedChild | None = None) -> None:
        self._node = node
        self._jobs: dict[str, Job] = {}
        self._retired: dict[str, Job] = {}
        self._child: PipedChild | None = None
        self._deaths = 0
        self._started = 0.0
        self._closed = False
        if early is None or not self._take_over(early):
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

    def retire(self, key: str) -> bool:
        """Take a job back as `cancel` does, but have it report as `tell` does; False where there is nothing to."""
        job = self._jobs.pop(key, None)
        if job is None or self._child is None:
            return False
        self._retired[key] = job
        self._child.send({"key": key, "do": "retire"})
        return True

    def close(self) -> None:
        """End the prober for good."""
        self._closed = True
        if self._child is not None:
            self._child.kill()

    def _take_over(self, early: PipedChild) -> bool:
        """Let a prober that is there already be ours, if it is what we would start."""
        if not early.runs or self._node.python != sys.executable:
            early.kill()
            return False
        early.hand_over(Listener(self._heard, self._died))
        early.send({"do": "settle", "folder": str(self._node.folder), "log": str(self._node.directory / LOG)})
        self._started = time.monotonic()
        self._child = early
        return True

    def _spawn(self) -> None:
        if self._closed:
            return
        program = Program(_argv(self._node.python), str(self._node.folder), self._node.directory / LOG)
        self._started = time.monotonic()
        try:
            listener = Listener(self._heard, self._died)
            self._child = PipedChild(self._node.loop, self._node.reaper, program, listener)
        except SpawnError as error:
            self._unavailable(str(error), tuple(self._jobs))
            return
        for job in self._jobs.values():
            self._child.send(job.message)

    def _heard(self, message: Message) -> None:
        if message.get("notice") == "sick" and self._child is not None:
            # Too many probes hang in its threads, which nobody can end. Its jobs go to the next one.
            self._child.kill()
        key = str(message.get("key"))
        job = self._jobs.get(key) or self._retired.get(key)
        if job is None:
            return
        if message["notice"] == "done":
            self._jobs.pop(key, None)
        elif message["notice"] == "told":
            self._retired.pop(key, None)
        job.take(message)

    def _died(self, how: Exit) -> None:
        self._child = None
        quick = time.monotonic() - self._started < QUICK_DEATH
        self._deaths = self._deaths + 1 if quick else 0
        culprits = [key for key, job in self._jobs.items() if job.asking]
        for key, job in {**self._jobs, **self._retired}.items():
            job.outlive()
            job.on_notice({"key": key, "notice": "told"})  # who waits for its last words has had them
        self._retired.clear()
        if self._deaths < DEATHS:
            self._spawn()
        else:
            ending = how.signal or f"exit code {how.exit_code}"
            said = last_line(self._node.directory / LOG)
            self._unavailable(
                f"the prober died {self._deaths} times in a row ({ending}): {said}", culprits or tuple(self._jobs)
            )

    def _unavailable(self, text: str, keys: Iterable[str]) -> None:
        """Tell jobs why nothing is asked; end those that somebody waits for; try again later."""
        for key in tuple(keys):
            job = self._jobs[key]
            answers = [self._no_answer(job, check, text) for check in job.message["checks"]]
            for answer in answers:
                job.on_notice({"key": key, "notice": "answer", **answer})
            if job.message.get("timeout") is not None or job.message["do"] == "once":
                self._jobs.pop(key, None)
                job.on_notice({"key": key, "notice": "done", "passed": False, "answers": answers})
        self._node.loop.after(RETRY, self._spawn)

    def _no_answer(self, job: Job, check: Message, text: str) -> Message:
        about = {"check": check["where"], "position": check["position"], "tries": job.total(check["where"])}
        return {**about, "passed": False, "text": text, "seconds": None, "remedy": self._remedy(check)}

    def _remedy(self, check: Message) -> str:
        log = self._node.directory / LOG
        if check["kind"] == "python":
            return f"the callback must not end its process, which is envspec's prober; what that wrote is in {log}"
        return f"the prober runs with {self._node.python}; what it wrote is in {log}"
