"""A callback that lets nothing else run in the prober, stops or ends it: who is told, and who goes on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.agent.loop import Loop, Timer
from envspec.agent.prober_watch import FIRST_WORD, PATIENCE, ProberWatch
from envspec.plan.plan import Check
from tests.agent.agent_client import AgentClient, wait_gone, wait_until
from tests.agent.test_checks import callback, order, prober_of, shell

KEEPS_THE_INTERPRETER = "ctypes.PyDLL(None).sleep(600)"
STOPS = "os.kill(os.getpid(), signal.SIGSTOP); ctypes.CDLL(None).pause()"  # else it may pass before the signal comes
ENDS = "os._exit(5)"
SILENT = r"it kept the prober from answering for \d\.\d+ s"


def hog(agent: AgentClient, harm: str, where: str = "services.a.health[0] (python)") -> Check:
    """A callback that does harm as long as there is no file `well`, and writes `asked` just before it does."""
    (agent.directory / "harmful.py").write_text(
        "import ctypes, os, pathlib, signal\n"
        "def check(ctx):\n"
        "    if not pathlib.Path('well').exists():\n"
        "        pathlib.Path('asked').touch()\n"
        f"        {harm}\n"
    )
    return Check("python", {"call": "harmful:check", "args": {}}, 5.0, where, "x.yaml:5:7")


def start_hog(agent: AgentClient, harm: str = KEEPS_THE_INTERPRETER) -> None:
    """Start `a` and return when its callback does its harm."""
    agent.start("a", "sleep", "600", health=(hog(agent, harm),))
    wait_until((agent.directory / "asked").exists, "the callback")


@pytest.mark.parametrize(
    ("harm", "told"),
    [(KEEPS_THE_INTERPRETER, SILENT), (STOPS, SILENT), (ENDS, r"it ended the prober \(exit code 5\)")],
    ids=["keeps the interpreter", "stops", "ends"],
)
def test_who_costs_a_prober_is_told_and_others_become_healthy(agent: AgentClient, harm: str, told: str) -> None:
    start_hog(agent, harm)
    agent.start("b", "sleep", "600", health=(callback(agent, where="services.b.health[0] (python)"),))

    agent.wait_notice("healthy", replica="b")
    assert re.fullmatch(told, agent.heard("answer", replica="a")[0]["text"])
    assert re.match(rf"services\.a\.health\[0\] \(python\): {told}", agent.heard("warning")[0]["message"])
    assert not agent.heard("answer", replica="b", passed=False)


def test_who_always_hangs_a_prober_is_given_up_with_a_remedy(agent: AgentClient) -> None:
    start_hog(agent)
    last = agent.wait(lambda: [said for said in agent.heard("answer", replica="a") if said["remedy"]], "the remedy")[0]

    assert re.fullmatch(r"it kept its prober .* s, 3 times in a row, and is not asked again", last["text"])
    assert "better run by an `exec` check" in last["remedy"]
    assert last["tries"] == 3


def test_what_is_no_callback_is_asked_as_if_nothing_hung(agent: AgentClient) -> None:
    start_hog(agent)
    agent.start("b", "sleep", "600", health=(shell("true", "services.b.health[0] (exec)"),))

    agent.wait_notice("healthy", replica="b")
    assert not agent.heard("warning")
    agent.wait_notice("warning", replica="a")


def test_who_does_so_once_is_asked_again_and_may_pass(agent: AgentClient) -> None:
    start_hog(agent)
    (agent.directory / "well").touch()

    agent.wait_notice("healthy", replica="a")
    assert re.fullmatch(SILENT, agent.heard("answer", replica="a")[0]["text"])


@pytest.mark.parametrize("harm", [KEEPS_THE_INTERPRETER, ENDS], ids=["hangs", "ends"])
def test_liveness_goes_on_for_others_and_fails_for_who_costs_a_prober(
    agent: AgentClient, tmp_path: Path, harm: str
) -> None:
    fine = tmp_path / "fine"
    fine.touch()
    (agent.directory / "well").touch()
    agent.start("h", "sleep", "600", health=(hog(agent, harm, "services.h.health[0] (python)"),))
    agent.start(
        "w", "sleep", "600", health=(callback(agent, f"os.stat({str(fine)!r})", "services.w.health[0] (python)"),)
    )
    for name in ("h", "w"):
        agent.wait_notice("healthy", replica=name)
        agent.call("watch", replica=name, every=0.05, failures=2)
    (agent.directory / "well").unlink()
    wait_until((agent.directory / "asked").exists, "the callback")
    fine.unlink()

    agent.wait_notice("unhealthy", replica="w")
    assert re.fullmatch(
        r"it (kept|ended) its prober .*, 2 times in a row", agent.wait_notice("unhealthy", replica="h")["text"]
    )


def test_who_cannot_be_asked_meanwhile_is_told_whose_fault_it_is(agent: AgentClient) -> None:
    start_hog(agent)
    agent.start("b", "sleep", "600", health=(callback(agent, where="services.b.health[0] (python)"),))

    def told() -> bool:
        agent.send("answers", replica="b")  # until the silence is noticed, it is the prober who owes the reply
        return bool(agent.heard("answer", replica="b"))

    agent.wait(told, "an answer for b")
    said = agent.heard("answer", replica="b")[0]["text"]
    assert said.startswith("cannot be asked now, since services.a.health[0] (python) keeps the prober from answering")


def test_an_action_that_hangs_its_prober_ends_instead_of_being_done_for_ever(agent: AgentClient) -> None:
    answered = agent.call("check", key="k", **order(hog(agent, KEEPS_THE_INTERPRETER, "services.a.reset[0] (python)")))

    assert not answered["passed"]
    assert answered["answers"][0]["text"].endswith("and is not asked again")


def test_a_check_that_hung_the_prober_begins_in_one_of_its_own_after_a_restart(agent: AgentClient) -> None:
    start_hog(agent)
    agent.wait_notice("warning", replica="a")
    agent.stop("a")
    (agent.directory / "asked").unlink()
    agent.start("a", "sleep", "600", start=1, health=(hog(agent, KEEPS_THE_INTERPRETER),))
    wait_until((agent.directory / "asked").exists, "the callback")

    assert agent.call("check", key="k", **order(callback(agent)))["passed"]
    assert len(agent.heard("warning")) == 1


def test_a_prober_that_somebody_stops_is_replaced_and_nobody_is_blamed(agent: AgentClient) -> None:
    waiting = agent.send("check", key="k", **order(shell("test -e go"), mode="until", cwd=str(agent.directory)))
    agent.wait_notice("answer", replica="")
    os.kill(prober_of(agent), signal.SIGSTOP)
    (agent.directory / "go").touch()

    assert agent.result(waiting)["passed"]
    assert not agent.heard("warning")


def test_only_the_check_that_was_asked_is_blamed_for_the_end_of_a_prober(agent: AgentClient) -> None:
    deadly = callback(agent, ENDS, "ready[1] (python)")
    checks = (shell("true"), deadly, shell("true", "ready[2] (exec)"))

    (answer,) = agent.call("check", key="k", **order(*checks, mode="until"))["answers"]
    assert (answer["check"], answer["tries"]) == ("ready[1] (python)", 3)
    assert answer["text"] == "it ended its prober (exit code 5), 3 times in a row, and is not asked again"
    assert "the callback must not end its process" in answer["remedy"]
    assert answer["seconds"] > 0


def test_who_is_asked_beside_a_deadly_callback_may_still_pass(agent: AgentClient) -> None:
    waits = "pathlib.Path('begun').touch()\n    while not pathlib.Path('go').exists(): time.sleep(0.005)"
    agent.start("good", "sleep", "600", health=(callback(agent, waits, "services.good.health[0] (python)"),))
    wait_until((agent.directory / "begun").exists, "the good callback")
    agent.start("bad", "sleep", "600", health=(callback(agent, ENDS, "services.bad.health[0] (python)"),))
    agent.wait(lambda: [said for said in agent.heard("answer", replica="bad") if said["remedy"]], "the bad one's end")
    (agent.directory / "go").touch()

    agent.wait_notice("healthy", replica="good")
    assert not [said for said in agent.heard("answer", replica="good") if said["remedy"]]


def test_what_a_check_had_begun_ends_with_its_prober(agent: AgentClient, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    stays = f"setsid sleep 600 & echo $! $$ > {begun}.part; mv {begun}.part {begun}; wait"
    agent.send("check", key="k", **order(shell(stays), mode="until"))
    wait_until(begun.exists, "the command")
    pids = [int(pid) for pid in begun.read_text().split()]
    os.kill(prober_of(agent), signal.SIGKILL)
    wait_gone(pids)


class Clock(Loop):
    """A loop whose timers are due when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[Callable[[], None]] = []

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        self.due.append(callback)
        return super().after(seconds, callback)

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            due, self.due = self.due, []
            for call in due:
                call()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_prober_that_answers_is_not_taken_for_hung(clock: Clock) -> None:
    hung: list[str] = []
    watch = ProberWatch(clock, lambda: clock.due.append(watch.hear), lambda: hung.append("hung"))
    watch.work()
    clock.look(100)
    assert not hung


def test_a_prober_that_is_still_coming_up_has_four_times_as_long(clock: Clock) -> None:
    hung: list[str] = []
    watch = ProberWatch(clock, lambda: None, lambda: hung.append("hung"))
    watch.work()
    clock.look(FIRST_WORD * PATIENCE)
    assert not hung
    clock.look()
    assert hung == ["hung"]


def test_a_pause_of_all_of_us_counts_as_one_look(clock: Clock) -> None:
    hung: list[str] = []
    watch = ProberWatch(clock, lambda: None, lambda: hung.append("hung"))
    watch.work()
    watch.hear()
    clock.look(PATIENCE)  # the last of them may have come after hours
    assert not hung


def test_a_prober_that_has_nothing_to_do_is_left_alone(clock: Clock) -> None:
    pings: list[str] = []
    watch = ProberWatch(clock, lambda: pings.append("ping"), lambda: None)
    watch.work()
    watch.rest()
    clock.look(3)
    assert not pings
    assert not clock.due
