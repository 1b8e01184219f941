"""Borrowing a session that runs already: which one, is it what would be started now, and for how long we have it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from envspec.agent.wire import decode, encode, error_from_json
from envspec.errors import EnvspecError, ServiceError
from envspec.plan.identity import FAULTS, UNSET, differences, stand_in
from envspec.session import identity as identities
from envspec.session.control import Control
from envspec.session.draft import draft
from envspec.session.harmless import harmless
from envspec.session.identity import Identity
from envspec.session.registry import Entry, living
from envspec.session.request import Request
from envspec.session.state import SOCKET
from envspec.session.unix_socket import connect

Tell = Callable[[str], None]
"""Hears lines for people: why a session that runs is not used."""
SHOWN = 8
"""Differences that are told; a new version of a package changes few keys, another branch many."""
WIDTH = 60
"""Letters shown of either value, around the place where they differ."""


class Loan:
    """A session that is ours to use until `close`, or until this process ends, however that comes."""

    def __init__(self, control: Control, connection: socket.socket) -> None:
        self.control = control
        self._connection = connection
        self._owner = os.getpid()

    def close(self) -> None:
        """Give it back. May be called again; a forked child of this process leaves it alone."""
        if os.getpid() == self._owner:
            with suppress(OSError):  # it ended before us
                self._connection.shutdown(socket.SHUT_RDWR)  # also where a child inherited it
        self._connection.close()


def borrow(request: Request, to: str, tell: Tell, *, ttl: float | None = None, replace: bool = False) -> Loan | None:
    """Return a session that is what `request` would start now, healthy and reset; None where there is none.

    `to` names us. Where there are sessions of the same environment, `tell` hears why none of them is used. `ttl` is
    how many seconds one that ends by itself waits for its next user after us. With `replace`, such a one is stopped
    that is not healthy any more, or cannot be reset, or differs though the same vars were set, since another one will
    be started in its place.

    Raises:
        SpecError: the file is wrong.
    """
    candidates = _candidates(request)
    if not candidates:
        return None
    ours = _our_identity(request)
    known = [(entry, identities.read(entry.directory)) for entry in reversed(candidates)]
    if any(key.startswith(f"{FAULTS}[") for key in ours.document):
        tell(f"{known[0][0].id} is not used: the faults of the file have happened to it")
        return None
    same = [entry for entry, identity in known if identity is not None and identity.hash == ours.hash]
    for entry in same:
        control = Control(entry.directory)
        try:
            return _lend(control, {"identity": ours.hash, "to": to, "ttl": ttl})
        except (EnvspecError, OSError) as error:
            tell(f"{entry.id} is not used: {_first_line(error)}")
            if replace and isinstance(error, ServiceError):
                _take_away(control, tell)
    if not same:
        _tell_differences(*known[0], ours, tell)
    if replace:
        _make_place([entry for entry, identity in known if identity is not None and _is_outdated(identity, ours)], tell)
    return None


def _is_outdated(theirs: Identity, ours: Identity) -> bool:
    """Tell whether it is what somebody who asks the same got before an edit, and will get no more."""
    return theirs.asked == ours.asked and theirs.hash != ours.hash


def _make_place(entries: Iterable[Entry], tell: Tell) -> None:
    for entry in entries:
        _take_away(Control(entry.directory), tell)


def _candidates(request: Request) -> list[Entry]:
    """Return the sessions of the same environment that may be lent, the oldest first."""
    file = request.file.resolve()
    return [
        entry
        for entry in living()
        if entry.detached and entry.backend == request.backend and os.path.realpath(entry.file) == str(file)
    ]


def _our_identity(request: Request) -> Identity:
    """Return the identity of what would be started now; the plan that this takes is remembered for next time."""
    found = draft(request)
    identity = identities.identify(found, request, identities.present_commits(found.outline, request.environ))
    found.plan(stand_in(found.outline))
    found.keep()
    return identity


def _lend(control: Control, message: Mapping[str, object]) -> Loan:
    connection = connect(control.directory / SOCKET)
    try:
        connection.sendall(encode({"do": "lend", **message}))
        with connection.makefile("rb") as lines:
            _check(lines.readline())
    except BaseException:
        connection.close()
        raise
    return Loan(control, connection)


def _check(answer: bytes) -> None:
    if not answer.endswith(b"\n"):
        raise ConnectionResetError("it ended without an answer")
    message = decode(answer)
    if "error" in message:
        raise error_from_json(message["error"])


def _take_away(control: Control, tell: Tell) -> None:
    """Stop a session that waits for a user in vain. One that a person started is theirs to stop."""
    try:
        status = control.status()
        if status.ends is not None and not status.lent_to:
            control.stop("another one takes its place")
            tell(f"{status.id} was stopped")
    except EnvspecError as error:
        tell(_first_line(error))


def _tell_differences(entry: Entry, theirs: Identity | None, ours: Identity, tell: Tell) -> None:
    if theirs is None:
        tell(f"{entry.id} is not used: it is not known yet what it is")
        return
    found = differences(theirs.document, ours.document)
    tell(f"{entry.id} is not used: it differs from what would be started now")
    for key, values in list(found.items())[:SHOWN]:
        before, now = _around(*values)
        tell(harmless(f"  {key}: {before} → {now}"))
    if len(found) > SHOWN:
        tell(f"  and {len(found) - SHOWN} more")


def _around(before: str, now: str) -> tuple[str, str]:
    """Return two texts without what they have in common at both ends, where they are too long to be shown."""
    if UNSET in (before, now) or max(len(before), len(now)) <= WIDTH:
        return _clipped(before) or "''", _clipped(now) or "''"
    start = _common(before, now)
    end = _common(before[start:][::-1], now[start:][::-1])
    start, end = before.rfind(" ", 0, start) + 1, end - max(0, before[len(before) - end :].find(" ")) if end else 0
    return _piece(before, start, end), _piece(now, start, end)


def _common(one: str, other: str) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(map(len, (one, other)))
    )


def _piece(text: str, start: int, end: int) -> str:
    middle = _clipped(text[start : len(text) - end] if end else text[start:])
    return f"{'…' if start else ''}{middle}{'…' if end else ''}"


def _clipped(text: str) -> str:
    return text if len(text) <= 2 * WIDTH else f"{text[: 2 * WIDTH]}…"


def _first_line(error: BaseException) -> str:
    return harmless((str(error) or type(error).__name__).splitlines()[0])
