"""Probers: a fork of the agent that comes up before hello, and one of the user's interpreter for callbacks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from envspec.agent import tree
from envspec.agent.prober_client import STANDS_BACK
from envspec.plan.plan import Check
from tests.agent.agent_client import agent_in, alive, probers_among, wait_until
from tests.agent.test_checks import callback, order, prober_of, shell


def probers_below(pid: int) -> list[int]:
    return probers_among(tree.descendants(pid))


def until_a_prober_is_there(guardian: int) -> None:
    wait_until(lambda: probers_below(guardian), "a prober before hello")


def link(pid: int, name: str) -> str:
    return str(Path(f"/proc/{pid}/{name}").readlink())


def test_a_prober_that_was_there_before_the_session_goes_where_it_belongs(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    with agent_in(folder, meanwhile=until_a_prober_is_there, folder=str(tmp_path)) as agent:
        assert agent.call("check", key="k", **order(shell("true")))["passed"]
        (prober,) = probers_below(agent.guardian)
        assert link(prober, "cwd") == str(tmp_path)
        assert link(prober, "fd/2") == str(folder / "prober.log")


def test_the_fork_of_the_agent_has_nothing_of_its_owner(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", meanwhile=until_a_prober_is_there) as agent:
        assert agent.call("check", key="k", **order(shell("true")))["passed"]
        (prober,) = probers_below(agent.guardian)
        held = {link(prober, f"fd/{item.name}") for item in Path(f"/proc/{prober}/fd").iterdir()}
        assert not {what for what in held if what.startswith(("socket:", "anon_inode:[pidfd]"))}
        lines = Path(f"/proc/{prober}/status").read_text().splitlines()
        fields = dict(line.split(":\t") for line in lines if line.startswith("Sig"))
        masks = {name: int(fields[name], 16) for name in ("SigBlk", "SigCgt", "SigIgn")}
        assert not masks["SigBlk"]
        assert not masks["SigCgt"] & 1 << signal.SIGTERM - 1
        assert masks["SigIgn"] & 1 << signal.SIGPIPE - 1


def test_a_callback_runs_in_the_users_interpreter_beside_the_environment_file(tmp_path: Path) -> None:
    folder = tmp_path / "session"
    with agent_in(folder, meanwhile=until_a_prober_is_there, folder=str(tmp_path)) as agent:
        (tmp_path / "own.py").write_text(
            "import os, pathlib, sys, pytest\n"
            "def check(ctx):\n"
            "    os.write(1, b'to stdout'), os.write(2, b'to stderr')\n"
            f"    assert pathlib.Path.cwd() == pathlib.Path({str(tmp_path)!r})\n"
            "    assert not sys.flags.isolated\n"
        )
        own = Check("python", {"call": "own:check", "args": {}}, 5.0, "ready[0] (python)")
        (answer,) = agent.call("check", key="k", **order(own))["answers"]
        assert answer["passed"], answer["text"]
        assert (folder / "prober.log").read_text() == "to stdoutto stderr"
        assert len(probers_below(agent.guardian)) == 2


def test_no_prober_of_the_users_interpreter_runs_where_nothing_needs_it(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session") as agent:
        assert agent.call("check", key="k", **order(shell("true")))["passed"]
        assert len(probers_below(agent.guardian)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_probers_end_with_the_agent(tmp_path: Path, number: signal.Signals) -> None:
    with agent_in(tmp_path / "session") as agent:
        assert agent.call("check", key="k", **order(callback(agent)))["passed"]
        probers = probers_below(agent.guardian)
        assert prober_of(agent) in probers
        os.kill(agent.agent, number)
        wait_until(lambda: not alive(probers), "the end of the probers")


def test_probers_stand_back_behind_services(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", meanwhile=until_a_prober_is_there) as agent:
        assert agent.call("check", key="k", **order(callback(agent), shell("true")))["passed"]
        assert agent.call("check", key="k", **order(shell("true")))["passed"]
        ours = os.getpriority(os.PRIO_PROCESS, agent.agent)
        theirs = {os.getpriority(os.PRIO_PROCESS, prober) for prober in probers_below(agent.guardian)}
        assert theirs == {min(ours + STANDS_BACK, 19)}
        assert os.getpriority(os.PRIO_PROCESS, agent.start("web", "sleep", "60")) == ours
