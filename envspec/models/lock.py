"""One at a time, whoever they are: a lock that the kernel frees when its holder dies, and that names its holder."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from envspec.errors import ModelUnavailableError
from envspec.models.source import Tell, Waiting

_LOOK_AGAIN = 0.05  # seconds: a dead holder's lock is had this soon, and a hundred who wait cost nothing
_SHOWN = 100  # characters of a command line
_INNER = (b"envspec.models.fetcher", b"envspec.agent")  # processes that their user never started by hand
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def only_one(candidates: Sequence[Path], tell: Tell, session: str = "") -> Iterator[None]:
    """Hold a lock on the first of `candidates` that can be locked, and tell whom it is waited for meanwhile.

    The file stays, as it must: whoever removed it would let two in. It holds the holder, for those who wait.

    Raises:
        ModelUnavailableError: none of them can be locked.
    """
    descriptor = _open_first(candidates)
    try:
        me = holder(session)
        _wait(descriptor, me, tell)
        with _signed(descriptor, me):
            yield
    finally:
        os.close(descriptor)


@contextmanager
def if_free(candidates: Sequence[Path]) -> Iterator[str]:
    """Hold the lock as `only_one` does and yield nothing, unless somebody has it: then yield who, without waiting.

    Raises:
        ModelUnavailableError: none of them can be locked.
    """
    descriptor = _open_first(candidates)
    try:
        if _try(descriptor):
            with _signed(descriptor, holder()):
                yield ""
        else:
            yield _read(descriptor) or "another process"
    finally:
        os.close(descriptor)


@contextmanager
def _signed(descriptor: int, me: str) -> Iterator[None]:
    """Have the file say who holds it; another user's file can be locked, but not written."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, me.encode(errors="replace"), 0)
    yield
    with suppress(OSError):
        os.ftruncate(descriptor, 0)


def holder(session: str = "") -> str:
    """Return whom others wait for: the process that a user started, as in "pid 4711 (pytest -n 8), session x7"."""
    pid = os.getpid()
    command = _command(pid)
    with suppress(OSError, ValueError):
        while any(inner in command for inner in _INNER) and (parent := _parent(pid)) > 1:
            pid, command = parent, _command(parent)
    text = command.replace(b"\0", b" ").decode(errors="replace").strip()
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return f"pid {pid} ({shown})" + (f", session {session}" if session else "")


def _wait(descriptor: int, me: str, tell: Tell) -> None:
    seen, pause = me, threading.Event()
    while not _try(descriptor):
        other = _read(descriptor)
        if other and other != seen:
            tell(Waiting(other))
            seen = other
        pause.wait(_LOOK_AGAIN)


def _open_first(candidates: Sequence[Path]) -> int:
    refusals = []
    for path in candidates:
        try:
            return _open(path)
        except OSError as error:
            refusals.append(f"{path}: {error.strerror}")
    raise ModelUnavailableError(
        f"no lock can be had that keeps others from the same download: {'; '.join(refusals)}",
        hint="set ENVSPEC_CACHE_DIR to a directory that can be written",
    )


def _open(path: Path) -> int:
    """Open a file that can be locked; one that is another user's may be locked without being written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        pass  # held by somebody, so it can be locked
    except OSError as error:
        if error.errno in _NO_LOCKS:
            os.close(descriptor)
            raise
    return descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> str:
    return os.pread(descriptor, 1000, 0).decode(errors="replace")


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
