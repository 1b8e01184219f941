"""The agent's side of one prober: jobs go out, answers come in, and a prober that dies or hangs is replaced."""

from __future__ import annotations

import os
import time
from functools import partial

from envspec.agent.calls import Node
from envspec.agent.loop import Loop
from envspec.agent.piped import UNHEARD, Branch, Listener, PipedChild, Program, last_line
from envspec.agent.probe_orphans import end_orphans
from envspec.agent.prober_job import LET_GO, Asked, Job, Loss, OnLost
from envspec.agent.prober_watch import ProberWatch
from envspec.agent.program import SpawnError
from envspec.agent.reaper import Exit, Reaper
from envspec.agent.wire import Message
from envspec.units import format_seconds

LOG = "prober.log"
NAME = "envspec-prober"
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


def branch_prober(loop: Loop, reaper: Reaper) -> PipedChild | None:
    """Fork a prober for what needs the standard library alone, to be taken over by a ProberClient.

    It may come before it is known for which session: NATS needs 25 ms of the CPU to come up, and waited for the first
    question else. Nobody hears of one that fails: it will be started again, in its place and with its log.
    """
    try:
        return PipedChild(loop, reaper, Branch(NAME, _serve))
    except (SpawnError, OSError):
        return None


def _serve() -> None:
    os.nice(STANDS_BACK)
    from envspec.agent.prober import main

    main()


def _argv(python: str) -> tuple[str, ...]:
    code = f"import gc, os; os.nice({STANDS_BACK}); gc.set_threshold({GARBAGE}); "
    code += "from envspec.agent.prober import main; main()"
    return (python, "-P", "-c", code)


class ProberClient:
    """One prober process, and the jobs that it has not finished. `python` runs it, and each that takes its place."""

    def __init__(self, node: Node, python: str, on_lost: OnLost, child: PipedChild | None = None) -> None:
        self._node = node
        self._python = python
        self._on_lost = on_lost
        self._is_dismissed = False
        self._jobs: dict[str, Job] = {}
        self._retired: dict[str, Job] = {}
        self._left: dict[str, Job] = {}
        self._child: PipedChild | None = None
        self._watch = ProberWatch(node.loop, self._ping, self._hung)
        self._deaths = 0
        self._started = 0.0
        self._closed = False
        if child is None or not self._take_over(child):
            self._spawn()

    def ask(self, key: str, job: Job) -> None:
        """Give the prober a job. A job with the same key is replaced."""
        self._jobs[key] = job
        job.message["key"] = key
        self._send(job.message)

    def go(self, key: str) -> None:
        """Let a job begin that was given with `held`."""
        job = self._jobs.get(key)
        if job is not None:
            job.begin()
            self._send({"key": key, "do": "go"})

    def step_forward(self, key: str) -> None:
        """Have a job that was given with `behind` asked now, and often."""
        job = self._jobs.get(key)
        if job is not None:
            job.message["behind"] = False
            self._send({"key": key, "do": "step_forward"})

    def cancel(self, key: str) -> bool:
        """Take a job back; return whether there was one. Nothing is heard of it any more."""
        job = self._jobs.pop(key, None)
        if job is None:
            return False
        if job.asking:
            self._left[key] = job
        self._send({"key": key, "do": "cancel"})
        return True

    def tell(self, key: str) -> bool:
        """Have a job report its last answers, and `told` behind them; False where nobody asks its checks now."""
        if key not in self._jobs or self._child is None:
            return False
        if self._watch.silence:
            self._tell_of_silence(self._jobs[key])
            return False
        self._child.send({"key": key, "do": "tell"})
        return True

    def retire(self, key: str) -> bool:
        """Take a job back as `cancel` does, but have it report as `tell` does; False where there is nothing to."""
        if key not in self._jobs or self._child is None:
            return False
        if self._watch.silence:
            self._tell_of_silence(self._jobs[key])
            self.cancel(key)
            return False
        self._retired[key] = self._jobs.pop(key)
        self._send({"key": key, "do": "retire"})
        return True

    def release(self, key: str) -> bool:
        """Forget a job of a prober that is no more; return whether there was one."""
        return self._jobs.pop(key, None) is not None

    def close(self) -> None:
        """End the prober for good."""
        self._closed = True
        self._watch.rest()
        if self._child is not None:
            self._child.kill()

    def _send(self, message: Message) -> None:
        if self._child is not None:
            self._child.send(message)
        self._mind_work()

    def _mind_work(self) -> None:
        """Have the prober watched while it is asked something."""
        if self._child is not None and not all(job.is_held for job in self._jobs.values()):
            self._watch.work()
        else:
            self._watch.rest()

    def _ping(self) -> None:
        if self._child is not None:
            self._child.send({"do": "ping"})

    def _take_over(self, child: PipedChild) -> bool:
        """Let a prober that is there already be ours."""
        if not child.runs:
            return False
        child.hand_over(Listener(self._heard, self._died))
        child.send({"do": "settle", "folder": str(self._node.folder), "log": str(self._node.directory / LOG)})
        self._started = time.monotonic()
        self._watch.begin_anew()
        self._child = child
        return True

    def _spawn(self) -> None:
        if self._closed:
            return
        program = Program(_argv(self._python), str(self._node.folder), self._node.directory / LOG)
        self._started, self._is_dismissed = time.monotonic(), False
        self._watch.begin_anew()
        try:
            listener = Listener(self._heard, self._died)
            self._child = PipedChild(self._node.loop, self._node.reaper, program, listener)
        except SpawnError as error:
            self._unavailable(str(error))
            return
        for job in self._jobs.values():
            self._child.send(job.message)
        self._mind_work()

    def _heard(self, message: Message) -> None:
        self._watch.hear()
        if message.get("notice") == "sick" and self._child is not None:
            # Too many probes hang in its threads, which nobody can end. Its jobs go to the next one.
            self._is_dismissed = True
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
        self._mind_work()

    def _died(self, how: Exit) -> None:
        if self._child is not None:
            end_orphans(self._child.pid)
        self._child = None
        self._watch.rest()
        quick = time.monotonic() - self._started < QUICK_DEATH
        self._deaths = self._deaths + 1 if quick else 0
        ending = how.signal or f"exit code {how.exit_code}"
        # Once or twice, SIGKILL is taken for somebody else's: a person's, or the kernel's for want of memory.
        guilty = not self._is_dismissed and (how.signal != "SIGKILL" or self._deaths >= DEATHS)
        asked = self._asked() if guilty else []
        self._let_go()
        if asked:
            self._deaths = 0
            self._on_lost(asked, Loss(f"ended {{}} ({ending})", self._remedy("python")))
            self._spawn()
        elif self._deaths < DEATHS:
            self._spawn()
        else:
            said = last_line(self._node.directory / LOG)
            self._unavailable(f"the prober died {self._deaths} times in a row ({ending}): {said}")

    def _hung(self) -> None:
        """Replace a prober that does nothing any more, for whoever of its jobs is asking a check that can bring that.

        It is left to die: where the kernel holds it, that may take long.
        """
        silence = format_seconds(self._watch.silence)
        if self._child is not None:
            self._child.hand_over(UNHEARD._replace(on_exit=partial(_end_orphans, self._child.pid)))
            self._child.kill()
            self._child = None
        asked = self._asked()
        if not asked:
            self._watch.be_patient()  # most likely the machine is slow
        self._let_go()
        self._on_lost(asked, Loss(f"kept {{}} from answering for {silence}", LET_GO))
        self._spawn()

    def _asked(self) -> list[Asked]:
        jobs = {**self._jobs, **self._retired}
        asking = {key: job for key, job in jobs.items() if job.asking} or self._left
        return [Asked(key, job, tuple(job.asked)) for key, job in asking.items()]

    def _let_go(self) -> None:
        """Let the jobs outlive a prober."""
        for key, job in {**self._jobs, **self._retired}.items():
            job.outlive()
            job.on_notice({"key": key, "notice": "told"})  # who waits for its last words has had them
        self._retired.clear()
        self._left = {}

    def _tell_of_silence(self, job: Job) -> None:
        """Tell of checks that cannot be asked now why that is so."""
        silence = format_seconds(self._watch.silence)
        others = (*self._jobs.values(), *self._left.values())
        guilty = ", ".join(sorted({check for other in others for check in other.asking}))
        for check in job.message["checks"]:
            if check["where"] in job.asking:
                job.no_answer(check, f"it keeps the prober from answering for {silence} so far")
            else:
                why = f"{guilty or 'something'} keeps the prober from answering"
                job.no_answer(check, f"cannot be asked now, since {why}, for {silence} so far")

    def _unavailable(self, text: str) -> None:
        """Tell all jobs why nothing is asked; end those that somebody waits for; try again later."""
        for key, job in tuple(self._jobs.items()):
            answers = [job.no_answer(check, text, self._remedy(check["kind"])) for check in job.message["checks"]]
            if job.is_awaited:
                self._jobs.pop(key, None)
                job.fail(answers)
        self._node.loop.after(RETRY, self._spawn)

    def _remedy(self, kind: str) -> str:
        log = self._node.directory / LOG
        if kind == "python":
            return f"the callback must not end its process, which is envspec's prober; what that wrote is in {log}"
        return f"the prober runs with {self._python}; what it wrote is in {log}"


def _end_orphans(prober: int, _how: Exit) -> None:
    end_orphans(prober)
