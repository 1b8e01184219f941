"""A lock is had by one, names its holder to those who wait, and is free the moment its holder dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from envspec.errors import ModelUnavailableError
from envspec.models.lock import holder, only_one
from envspec.models.source import Notice, Waiting
from tests.session.running import eventually

HOLD = """
import sys
from pathlib import Path
from envspec.models.lock import only_one
with only_one([Path(sys.argv[1])], lambda notice: print(notice, flush=True), session=sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(path: Path, session: str = "") -> subprocess.Popen[str]:
    """Start a process that holds the lock until its stdin closes; it has said so or not."""
    argv = [sys.executable, "-c", HOLD, str(path), session]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_held(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    while process.stdout.readline() != "held\n":
        pass


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


class Waiter(threading.Thread):
    """Takes the lock in a thread, and lets go of it at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.told, self.heard = path, list[Notice](), threading.Event()
        self.start()

    def run(self) -> None:
        with only_one([self.path], self._tell):
            pass

    def _tell(self, notice: Notice) -> None:
        self.told.append(notice)
        self.heard.set()


def test_who_waits_is_told_for_whom(tmp_path: Path) -> None:
    process = start_holder(tmp_path / "lock", "local-x7k2p")
    wait_held(process)
    waiter = Waiter(tmp_path / "lock")
    assert waiter.heard.wait(30)
    assert waiter.is_alive()
    end(process)
    waiter.join(30)
    assert not waiter.is_alive()
    (told,) = waiter.told
    assert isinstance(told, Waiting)
    assert told.holder.startswith(f"pid {process.pid} ({sys.executable} -c")
    assert told.holder.endswith(", session local-x7k2p")


def test_who_waits_is_told_again_when_another_got_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = start_holder(path, "first")
    wait_held(first)
    second = start_holder(path, "second")
    assert second.stdout
    assert "session first" in second.stdout.readline()
    waiter = Waiter(path)
    assert waiter.heard.wait(30)
    end(first)
    # Whichever of the two it is, the other is told of it, or had it and is through.
    wait_held(second)
    eventually(lambda: not waiter.is_alive() or "session second" in str(waiter.told[-1]))
    end(second)
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_holder_that_is_killed_by_sigkill_frees_the_lock(tmp_path: Path) -> None:
    process = start_holder(tmp_path / "lock")
    wait_held(process)
    end(process)
    told: list[Notice] = []
    with only_one([tmp_path / "lock"], told.append):
        assert told == []


def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    inside, most = [0], [0]
    counting = threading.Lock()

    def work() -> None:
        with only_one([tmp_path / "lock"], lambda _: None):
            with counting:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with counting:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_where_the_first_place_takes_no_lock_the_second_does(tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("no directory")
    with only_one([tmp_path / "hub" / "lock", tmp_path / "own" / "lock"], lambda _: None):
        assert (tmp_path / "own" / "lock").read_text() == holder()


def test_no_place_at_all_is_an_error_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("no directory")
    places = [tmp_path / "hub" / "one", tmp_path / "hub" / "two"]
    with pytest.raises(ModelUnavailableError, match=r"one: .*two: ") as caught, only_one(places, lambda _: None):
        pytest.fail("there was nothing to lock")
    assert "ENVSPEC_CACHE_DIR" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="every file can be written by root")
def test_another_users_lock_file_can_be_locked_without_being_written(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(mode=0o444)
    with only_one([path], lambda _: None):
        assert path.read_text() == ""


def test_the_holder_is_the_process_that_a_user_started_and_not_the_fetcher(tmp_path: Path) -> None:
    script = "from envspec.models.lock import holder; print(holder())  # envspec.models.fetcher"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith(f"pid {os.getpid()} (")
