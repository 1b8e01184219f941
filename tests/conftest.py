"""What holds for every test: it leaves no process behind, neither as a child nor adopted by somebody else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

TAG = "ENVSPEC_TEST_RUN"
PATIENCE = 10.0  # seconds in which what is being stopped has to end, on a busy machine, too
KERNEL_THREADS = 2  # the parent of them all; they come and go and have no environment
STANDARD_HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")

os.environ[TAG] = str(os.getpid())  # inherited by whatever a test starts, however far away it is adopted
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what has an `&`: Ctrl-C reached no command
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _a_run_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test not share with others what all processes of one run agree on, as the plugin has them do here."""
    monkeypatch.delenv("ENVSPEC_RUN_DIR", raising=False)


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a process running, or that goes on running in a process it forked itself."""
    me, before = os.getpid(), _processes()
    yield
    if os.getpid() != me:
        os._exit(97)  # a forked copy of pytest must not run the other tests a second time
    deadline = time.monotonic() + PATIENCE
    while _left(before, also_unreadable=True) and time.monotonic() < deadline:
        time.sleep(0.01)
    if left := _left(before):
        pytest.fail("processes are left behind: " + ", ".join(f"{pid} ({_command(pid)})" for pid in left))


def _processes() -> set[int]:
    return {int(name) for path in Path("/proc").iterdir() if (name := path.name).isdigit()}


def _left(before: set[int], *, also_unreadable: bool = False) -> list[int]:
    """Return new processes of this test run, less those that live under a process which was there before the test.

    In the middle of an exec a process has no environment to read: it may be ours, and must be looked at again.
    """
    new = sorted(_processes() - before)
    mine = [pid for pid in new if _parent(pid) == os.getpid() or _is_tagged(pid, unreadable=also_unreadable)]
    return [pid for pid in mine if not _is_excused(pid, before)]


def _is_tagged(pid: int, *, unreadable: bool = False) -> bool:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/environ").read_bytes()
        if not text and _parent(pid) not in (0, KERNEL_THREADS):
            return unreadable
        return f"{TAG}={os.getpid()}".encode() in text.split(b"\0")
    return False


def _is_excused(pid: int, before: set[int]) -> bool:
    if any(helper in _command(pid).encode() for helper in STANDARD_HELPERS):
        return True
    while (pid := _parent(pid)) > 1 and pid != os.getpid():
        if pid in before and _is_tagged(pid):
            return True
    return False


def _parent(pid: int) -> int:
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _command(pid: int) -> str:
    with suppress(OSError):
        text = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return text[:200] or "ended, but not waited for"
    return "gone"
