"""The directory in which sessions keep what others need to find, read and clean up."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import resource
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envspec.errors import ResourceError, StateDirectoryError
from envspec.session.ownership import check_ours, check_unshared, make_private
from envspec.session.unix_socket import listen

RECORD = "session.json"
SOCKET = "control.sock"
EVENTS = "events.jsonl"
PLAN = "plan.json"
LOGS = "logs"
REPLICAS = "replicas"
NEW = ".new-"
"""What the name of a directory begins with that is no session yet."""

ID_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""What ids are made of: nothing that looks like something else when read aloud or copied by hand."""

CHOSEN = "ENVSPEC_STATE_DIR"
UNSPOKEN = re.compile(r"[^\w.-]+")
"""What of a file's name no id takes over: what a shell reads as more than a letter, what a table breaks at, and bytes
that are no UTF-8."""
LONGEST_NAME = 60
"""Letters of a file's name in an id: the directory of that name may have 255 bytes, and a letter takes up to 4."""


def state_directory() -> Path:
    """Return where this user's sessions are: $ENVSPEC_STATE_DIR, $XDG_STATE_HOME/envspec or ~/.local/state/envspec.

    A relative path in XDG_STATE_HOME counts as none, as the XDG Base Directory Specification has it.
    """
    if chosen := os.environ.get(CHOSEN):
        return Path(chosen).absolute()
    home = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "envspec"


def with_settled_state(environ: Mapping[str, str]) -> dict[str, str]:
    """Return variables in which the state directory no longer hangs on the directory that they are read in.

    A detached session has another one than the command that started it, and so have services.
    """
    chosen = environ.get(CHOSEN)
    return {**environ, CHOSEN: str(Path(chosen).absolute())} if chosen else dict(environ)


def make_state_directory() -> Path:
    """Make the state directory where it is missing, only ours to read and write, and return it.

    One that was chosen may be readable for others, since what is in it is not; the default one is made private.

    Raises:
        StateDirectoryError: it cannot be made, is another user's, or others may write to it.
    """
    state = state_directory()
    with usable(state):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_ours(state)
        if not os.environ.get(CHOSEN):
            make_private(state)
        check_unshared(state)
    return state


def sessions_directory() -> Path:
    """Return the directory that has one directory for each session; it may not exist."""
    return state_directory() / "sessions"


def create_session_directory(environment: str, record: dict[str, Any]) -> tuple[Path, socket.socket]:
    """Make the directory of a new session, and return it with the listening control socket in it.

    The directory's name is the session's id; `record` is what others find the session by.

    Raises:
        StateDirectoryError: there is no room, no permission, or the state directory is another user's.
    """
    sessions = sessions_directory()
    make_state_directory()
    with usable(sessions):
        sessions.mkdir(mode=0o700, exist_ok=True)
        check_ours(sessions)
        make_private(sessions)
        return _create(sessions, environment, record)


def _create(sessions: Path, environment: str, record: dict[str, Any]) -> tuple[Path, socket.socket]:
    """Fill the directory under another name first, so that nobody meets a session that cannot answer yet."""
    new = sessions / f"{NEW}{_letters(12)}"
    new.mkdir(mode=0o700)
    try:
        for name in (LOGS, REPLICAS):
            (new / name).mkdir(mode=0o700)
        listener = listen(new / SOCKET)
        while True:
            identifier = f"{_speakable(environment)}-{_letters(5)}"
            directory = sessions / identifier
            write_json(new / RECORD, {"id": identifier, "directory": str(directory), **record})
            if not directory.exists():
                return new.rename(directory), listener
    except BaseException:
        remove_tree(new)
        raise


def _speakable(environment: str) -> str:
    """Return of an environment's name what can be typed as an argument, and is no hidden file."""
    return UNSPOKEN.sub("-", environment)[:LONGEST_NAME].strip("-.") or "session"


def _letters(count: int) -> str:
    """Return letters that nobody has guessed: beside `secrets`, which takes a millisecond to import."""
    return "".join(ID_LETTERS[byte % len(ID_LETTERS)] for byte in os.urandom(count))


def remove_tree(directory: Path) -> None:
    """Remove a directory and what is in it, as far as that can be done."""
    import shutil  # every start would wait for the compressors that it brings, and none needs it before its services

    shutil.rmtree(directory, ignore_errors=True)


def finish_session_directory(directory: Path) -> None:
    """Give back what only a live session needs; logs and events stay. Never raises: the session is over anyhow."""
    remove_tree(directory / REPLICAS)
    with contextlib.suppress(OSError):
        (directory / SOCKET).unlink(missing_ok=True)
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
        write_json(directory / RECORD, {**record, "ended": time.time()})


def write_json(path: Path, data: Any) -> None:
    """Replace a file in one step: a reader sees the old one or the new one, whole.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Names with bytes that are no UTF-8 are surrogates here, whose backslashed form is an escape of JSON as well.
        with new.open("w", encoding="utf-8", errors="backslashreplace") as file:
            os.fchmod(file.fileno(), 0o600)
            # Without spaces, which Python itself would have to put in: 3 ms of a plan, before its first service.
            file.write(json.dumps(data, ensure_ascii=False))
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def usable(directory: Path) -> Iterator[None]:
    """Turn what the file system says about `directory` into an error that says what to do.

    Raises:
        StateDirectoryError: whatever the block could not do there.
        ResourceError: this process may have no further file open, which no other directory would change.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            message = f"envspec has no file descriptor left: this process may have {limit}"
            raise ResourceError(message, hint="raise the limit (`ulimit -n`)") from error
        raise StateDirectoryError(
            f"the state directory {directory} cannot be used: {error.strerror or error}",
            hint="free or fix it, or choose another one: ENVSPEC_STATE_DIR=/some/where",
        ) from error
