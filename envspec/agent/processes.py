"""Starting a process: in a session of its own, tied to our life, deaf to the terminal."""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

from envspec.agent import linux
from envspec.agent.program import DEFAULT_PATH, SpawnError, find_program

RESTORED = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that we or Python handle or ignore; an ignored one would stay so in the service."""
EXECUTING = b"\0"
"""What a forked process says last before its exec: the pipe that then closes by it closes by a death as well."""
_LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)


class Command(NamedTuple):
    """What to execute, and the descriptors that become its stdin, stdout and stderr."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    stdin: int
    stdout: int
    stderr: int


def raise_descriptor_limit() -> None:
    """Let the agent itself have as many descriptors as it may; services get back what was there before."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (_LIMITS[1], _LIMITS[1]))


class Birth:
    """A process that was forked and is about to execute its program.

    `report` becomes readable when there is more to know of that. `at` is the monotonic time of the fork, taken before
    it, so that nothing that the process does is earlier.
    """

    def __init__(self, pid: int, report: int, at: float) -> None:
        self.pid = pid
        self.report = report
        self.at = at
        self._told = b""

    def is_decided(self) -> bool:
        """Return whether the program is executed, cannot be, or something has ended the process before."""
        try:
            while data := os.read(self.report, 4096):
                self._told += data
        except BlockingIOError:
            return False
        return True  # its end closes on exec: a service that runs is never reported as one that failed to

    def executes(self) -> bool:
        """Return True when the program is executed, False when something has ended the process before.

        To be called once, when it is decided. A process that is ended within its exec counts as one that was ended
        right after it.

        Raises:
            SpawnError: it cannot be executed. The process is ending, and still has to be waited for.
        """
        os.close(self.report)
        if failure := self._told.removeprefix(EXECUTING):
            raise SpawnError(failure.decode())
        return self._told == EXECUTING


def spawn(command: Command) -> int:
    """Start a process and return its pid once it executes the program, or something has ended it before.

    It is the leader of a session of its own, and killed by the kernel should we end first. It inherits no descriptor
    but the three: all others close on exec.

    Raises:
        SpawnError: the program, its interpreter or the working directory is not there or not usable.
    """
    birth = fork(command)
    os.set_blocking(birth.report, True)
    birth.is_decided()
    try:
        birth.executes()
    except SpawnError:
        os.waitid(os.P_PID, birth.pid, os.WEXITED)
        raise
    return birth.pid


def fork(command: Command) -> Birth:
    """Start a process as `spawn` does, without waiting until it executes the program.

    The third of three that were waited for executed 19 ms after the first was asked for: each had begun to take the
    CPU from the next.

    Raises:
        SpawnError: the program or the working directory is not there, or no process can be made.
    """
    if not Path(command.cwd).is_dir():
        raise SpawnError(f"the working directory does not exist: {command.cwd}")
    program = find_program(command.argv[0], command.env.get("PATH", DEFAULT_PATH), command.cwd)
    reading, writing = os.pipe()
    parent, at = os.getpid(), time.monotonic()
    try:
        pid = _forked(lambda: _become(command, program, parent, writing))
    except SpawnError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    os.set_blocking(reading, False)
    return Birth(pid, reading, at)


def branch(work: Callable[[], None], name: str, stdin: int, stdout: int, stderr: int) -> int:
    """Start a copy of ourselves, called `name`, that does `work` and ends, and return its pid.

    In everything else it is as a process of `spawn`; of our descriptors it has the three alone. It spares the start of
    an interpreter, and the import of what is imported here.

    Raises:
        SpawnError: no process can be made.
    """
    parent = os.getpid()
    return _forked(lambda: _work(work, name, parent, (stdin, stdout, stderr)))


def _forked(become: Callable[[], NoReturn]) -> int:
    """Fork a child that does `become`, and return its pid.

    Raises:
        SpawnError: no process can be made.
    """
    try:
        with _signals_wait():
            pid = os.fork()
            if pid == 0:
                become()
    except OSError as error:
        raise SpawnError(f"no process could be made: {error.strerror}") from error
    return pid


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold signals back: until a child has none of our handlers any more, it must not run them."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _work(work: Callable[[], None], name: str, parent: int, descriptors: tuple[int, int, int]) -> NoReturn:
    """Do `work` in the forked child, which never returns to the agent's code."""
    try:
        _leave(descriptors)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)  # as in every Python: a write fails then, and nobody dies of it
        # What the agent knows by these numbers is never looked at here, and never collected: its frames are below ours.
        for link in tuple(Path("/proc/self/fd").iterdir()):
            if int(link.name) > 2:
                with suppress(OSError):  # the one that listed them
                    os.close(int(link.name))
        linux.name_process(name)
        if os.getppid() == parent:
            work()
    except BaseException as error:  # noqa: BLE001  nobody above may catch it
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)


def _become(command: Command, program: str, parent: int, report: int) -> NoReturn:
    """Turn the forked child into the program; never returns to the agent's code."""
    doing = f"cannot prepare {program}"
    try:
        _leave((command.stdin, command.stdout, command.stderr))
        # With another parent by now, we were orphaned before the kernel knew whose death to tell us.
        if os.getppid() == parent:
            doing = f"cannot enter the working directory {command.cwd}"
            os.chdir(command.cwd)
            doing = f"cannot execute {program}"
            os.write(report, EXECUTING)
            os.execve(program, command.argv, command.env)  # noqa: S606  a shell is what the file may ask for itself
    except (OSError, ValueError) as error:
        os.write(report, f"{doing}: {_reason(error, program)}".encode(errors="replace"))
    finally:
        os._exit(127)


def _leave(descriptors: tuple[int, int, int]) -> None:
    """Make the forked child a process of its own, with these as its stdin, stdout and stderr."""
    os.setsid()
    for target, source in enumerate(descriptors):
        os.dup2(source, target)
    signal.set_wakeup_fd(-1)
    for number in RESTORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, _LIMITS)
    # Descendants are not covered, a fork clears it: those are the guardian's.
    linux.die_with_parent(signal.SIGKILL)


def _reason(error: OSError | ValueError, program: str) -> str:
    if isinstance(error, FileNotFoundError):
        interpreter = _interpreter(program)
        if interpreter.endswith("\r"):
            return f"its interpreter does not exist: {interpreter!r}: the script has Windows line ends"
        return f"its interpreter does not exist: {interpreter}" if interpreter else str(error.strerror)
    if isinstance(error, OSError) and error.errno == errno.ENOEXEC and not _interpreter(program):
        return f"{error.strerror}: if it is a script, its first line has to name what runs it, as #!/bin/sh does"
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)


def _interpreter(program: str) -> str:
    """Return what the `#!` line of a script names."""
    try:
        with Path(program).open("rb") as file:
            first = file.readline(256)
    except OSError:
        return ""
    return first[2:].decode(errors="replace").rstrip("\n").strip(" \t") if first.startswith(b"#!") else ""
