"""Commands of `exec` validators: what they say, and that nothing of them goes on."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.agent.probe_command import OUTPUT_LIMIT, Commands
from envspec.health import build
from envspec.health.base import Answer, Context

PATIENCE = 30.0
DAEMON = "(setsid sh -c 'echo $$ > daemon; exec sleep 60' &); while [ ! -s daemon ]; do :; done; "


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def ask(tmp_path: Path, commands: Commands) -> Callable[..., Answer]:
    def probe(timeout: float = PATIENCE, env: dict[str, str] | None = None, **fields: object) -> Answer:
        told = {"PATH": os.environ["PATH"], **(env or {})}
        return build("exec", fields).probe(Context(cwd=str(tmp_path), env=told, timeout=timeout, run=commands.run))

    return probe


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_exit_0_is_healthy_and_the_output_is_shown(ask: Callable[..., Answer]) -> None:
    assert ask(command=["echo", "PONG"]) == Answer(passed=True, text="exit code 0: PONG")
    assert ask(command=["true"]) == Answer(passed=True, text="exit code 0")


def test_another_exit_shows_the_code_and_the_last_output(ask: Callable[..., Answer]) -> None:
    answer = ask(shell="seq 1 1000; echo no such table >&2; exit 3")
    assert not answer.passed
    assert answer.text.startswith("exit code 3: ")
    assert answer.text.endswith("999 1000 no such table")


def test_a_signal_is_named(ask: Callable[..., Answer]) -> None:
    assert ask(shell="kill -SEGV $$").text == "ended by SIGSEGV"


def test_a_shell_fails_with_any_part_of_a_pipe(ask: Callable[..., Answer]) -> None:
    assert not ask(shell="false | cat").passed
    assert not ask(shell="false; true").passed


def test_it_runs_with_the_replicas_environment_and_directory(ask: Callable[..., Answer], tmp_path: Path) -> None:
    answer = ask(shell='echo "$COLOUR in $PWD"; [ -z "$HOME" ]', env={"COLOUR": "red"})
    assert answer.text == f"exit code 0: red in {tmp_path}"


def test_a_command_that_does_not_exist_is_named_with_its_path(ask: Callable[..., Answer]) -> None:
    answer = ask(command=["no-such-command"], env={"PATH": "/nowhere"})
    assert answer.text.startswith("command not found: no-such-command (PATH=/nowhere")
    assert "correct its name" in answer.remedy


def test_a_path_that_does_not_exist_yet_may_be_made_by_the_service(ask: Callable[..., Answer]) -> None:
    answer = ask(command=["./ready.sh"])
    assert answer.text.startswith("command not found: ./ready.sh")
    assert not answer.remedy


def test_a_directory_that_does_not_exist_is_not_taken_for_the_command(tmp_path: Path) -> None:
    asked = Context(cwd=str(tmp_path / "none"), env=dict(os.environ), run=Commands().run)
    assert build("exec", {"command": ["true"]}).probe(asked).text == f"no such directory: {tmp_path / 'none'}"


def test_a_command_past_its_time_is_killed_with_all_that_came_of_it(ask: Callable[..., Answer], tmp_path: Path) -> None:
    answer = ask(timeout=1.0, shell=f"{DAEMON} sleep 60")
    assert answer == Answer(passed=False, text="killed after 1.00 s: bash")
    assert is_gone(int((tmp_path / "daemon").read_text()))


def test_a_command_past_its_time_shows_what_it_wrote(ask: Callable[..., Answer]) -> None:
    answer = ask(timeout=0.5, shell="echo waiting for the moon; sleep 60")
    assert answer.text == "killed after 0.50 s: bash; its last output: waiting for the moon"


def test_output_held_open_by_a_child_does_not_hold_up_the_answer(ask: Callable[..., Answer], tmp_path: Path) -> None:
    answer = ask(shell="sleep 60 & echo $! > child; echo started")
    assert answer == Answer(passed=True, text="exit code 0: started")
    assert is_gone(int((tmp_path / "child").read_text()))


def test_of_a_flood_of_output_the_end_is_kept(commands: Commands) -> None:
    flood = ["bash", "-c", "head -c 20000000 /dev/zero | tr '\\0' x; echo end"]
    code, output = commands.run(flood, os.environ, ".", PATIENCE)
    assert code == 0
    assert output.endswith(b"xend\n")
    assert len(output) <= OUTPUT_LIMIT


def test_stdin_is_empty_and_the_terminal_out_of_reach(ask: Callable[..., Answer]) -> None:
    own_session = "[ $(cut -d' ' -f6 /proc/$$/stat) = $$ ]"
    assert ask(shell=f'[ -z "$(cat)" ] && {own_session}').passed


def test_a_prober_that_goes_kills_what_it_runs_and_starts_no_more(
    ask: Callable[..., Answer], commands: Commands, tmp_path: Path
) -> None:
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(ask(shell="echo $$ > pid; sleep 60")))
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    commands.close()
    thread.join(PATIENCE)
    assert answers[0].text == "ended by SIGKILL"
    with pytest.raises(OSError, match="closing"):
        ask(command=["true"])
