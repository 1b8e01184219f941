"""A prober that comes up before hello: used where it is what the session would start, and not noticed otherwise."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from envspec.agent import tree
from envspec.agent.loop import Loop
from envspec.agent.prober_client import STANDS_BACK, early_prober
from envspec.agent.reaper import Reaper
from envspec.agent.wire import Message
from envspec.plan.codec import to_json
from envspec.plan.plan import Check
from tests.agent.agent_client import agent_in, wait_until


def question(check: Check) -> Message:
    return {"checks": to_json([check]), "replica": "", "mode": "once", "timeout": 10.0}


def probers_below(pid: int) -> list[int]:
    return [below for below in tree.descendants(pid) if "prober" in tree.command_of(below)]


def until_a_prober_is_there(guardian: int) -> None:
    wait_until(lambda: probers_below(guardian), "a prober before hello")


def test_a_prober_that_was_there_before_the_session_goes_where_it_belongs(tmp_path: Path) -> None:
    folder, early = tmp_path / "session", []
    (tmp_path / "own.py").write_text(
        "import os, pathlib\n"
        "def check(ctx):\n"
        "    os.write(1, b'to stdout'), os.write(2, b'to stderr')\n"
        f"    assert pathlib.Path.cwd() == pathlib.Path({str(tmp_path)!r})\n"
    )

    def look(guardian: int) -> None:
        until_a_prober_is_there(guardian)
        early.extend(probers_below(guardian))

    with agent_in(folder, meanwhile=look, folder=str(tmp_path)) as agent:
        own = Check("python", {"call": "own:check", "args": {}}, 5.0, "ready[0] (python)")
        (answer,) = agent.call("check", key="k", **question(own))["answers"]
        assert answer["passed"], answer["text"]
        assert probers_below(agent.guardian) == early
        assert (folder / "prober.log").read_text() == "to stdoutto stderr"


def test_a_prober_that_was_there_is_not_used_where_another_interpreter_is_asked_for(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", meanwhile=until_a_prober_is_there, python="/bin/false") as agent:
        (answer,) = agent.call("check", key="k", **question(Check("exec", {"shell": "true"}, 5.0, "ready[0] (exec)")))[
            "answers"
        ]
        assert re.search(r"the prober died \d+ times in a row \(exit code 1\)", answer["text"])


def test_no_prober_starts_early_where_its_imports_hang_on_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere:lib")
    loop = Loop()
    assert early_prober(loop, Reaper(loop)) is None


def test_probers_stand_back_behind_services(tmp_path: Path) -> None:
    with agent_in(tmp_path / "session", meanwhile=until_a_prober_is_there) as agent:
        ours, (prober,) = os.getpriority(os.PRIO_PROCESS, agent.agent), probers_below(agent.guardian)
        wait_until(
            lambda: os.getpriority(os.PRIO_PROCESS, prober) == min(ours + STANDS_BACK, 19), "a prober that is nice"
        )
        service = agent.start("web", "sleep", "60")

        assert os.getpriority(os.PRIO_PROCESS, service) == ours
