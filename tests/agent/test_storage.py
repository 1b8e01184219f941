"""What cannot be written is told with the file, the reason and what to do."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.agent.storage import write_text, writing
from envspec.errors import StateDirectoryError
from envspec.plan.plan import Check
from tests.agent.agent_client import AgentClient


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOSPC, "free some space there, or point ENVSPEC_STATE_DIR at another disk"),
        (errno.EDQUOT, "your quota there is used up: free some, or point ENVSPEC_STATE_DIR at another disk"),
        (errno.EROFS, "it is mounted read-only: point ENVSPEC_STATE_DIR at a directory that can be written"),
        (errno.EACCES, "point ENVSPEC_STATE_DIR at a directory that can be written"),
    ],
)
def test_a_hint_follows_the_reason(number: int, hint: str) -> None:
    with pytest.raises(StateDirectoryError) as caught, writing("/state/log"):
        raise OSError(number, os.strerror(number), "/state/log/web.log")
    assert str(caught.value) == f"cannot write /state/log/web.log: {os.strerror(number)}"
    assert caught.value.hint == hint


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_lack_of_descriptors_is_not_taken_for_a_fault_of_the_path(number: int) -> None:
    with pytest.raises(OSError, match="open files") as caught, writing("/state/log"):
        raise OSError(number, os.strerror(number), "/state/log/web.log")
    assert caught.value.errno == number


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to("/dev/full")], ids=["fifo", "symlink"])
def test_what_a_service_puts_in_place_of_its_file_and_log_holds_up_nobody(
    agent: AgentClient, put: Callable[[Path], None]
) -> None:
    plan = agent.plan("web")
    for start in range(2):
        agent.start("web", "cat", "conf/web.yaml", files={"conf/web.yaml": "port: 1\n"}, start=start)
        agent.wait_notice("exited", replica="web", start=start, exit_code=0)
        for path in (Path(plan.dir, "conf/web.yaml"), Path(plan.log)):
            path.unlink()
            put(path)
    assert agent.log("web") == b"port: 1\n" * 2
    agent.start("other", "true")


@pytest.mark.parametrize("put", [os.mkfifo, Path.mkdir], ids=["fifo", "directory"])
def test_a_log_that_became_something_else_has_no_line_that_matches(
    agent: AgentClient, put: Callable[[Path], None]
) -> None:
    check = Check("log", {"match": "never"}, 2.0, "services.web.health[0] (log)", "x.yaml:1:1")
    pid = agent.start("web", "sleep", "60", health=(check,))
    log = Path(agent.plan("web").log)
    log.unlink()
    put(log)
    agent.wait_notice("answer", replica="web", passed=False)
    agent.start("other", "sleep", "0.1")  # in which it is looked at again
    agent.wait_notice("exited", replica="other")
    os.kill(pid, signal.SIGKILL)
    agent.wait_notice("exited", replica="web")


def test_a_file_that_is_written_again_has_the_permissions_of_any_new_one(tmp_path: Path) -> None:
    file, other = tmp_path / "conf" / "web.yaml", tmp_path / "other"
    other.write_text("")
    for text in ("one", "two"):
        write_text(file, text)
        assert file.read_text() == text
    assert file.stat().st_mode == other.stat().st_mode
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "web.yaml" / "below").mkdir(parents=True)
    with pytest.raises(StateDirectoryError, match=rf"^cannot write {tmp_path}/web.yaml: Is a directory\n"):
        write_text(tmp_path / "web.yaml", "text")
