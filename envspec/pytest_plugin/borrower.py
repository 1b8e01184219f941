"""A worker's end of the line to the process that owns the environments."""

from __future__ import annotations

import os
import socket
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from envspec.agent.wire import decode, encode, error_from_json
from envspec.errors import BackendError, RequirementError
from envspec.pytest_plugin import meeting
from envspec.pytest_plugin.wanted import Groups, Wanted
from envspec.session.control import Control
from envspec.session.unix_socket import connect


class Borrower:
    """Borrows what the controller of the run owns. What it is lent, it speaks to through the session's own socket."""

    def __init__(self, directory: Path, worker: str) -> None:
        self._directory = directory
        self._worker = worker
        self._one_by_one = threading.Lock()

    def expect(self, groups: Groups) -> None:
        """Leave word of the tests where the controller looks when it hears that this worker has collected them."""
        meeting.leave_word(self._directory, self._worker, groups)

    def lend(self, wanted: Wanted, *, at_once: bool = False) -> Control:
        """Return a healthy environment, which stays up until it is given back.

        Raises:
            EnvspecError: it did not start, now or when it was first tried.
        """
        return Control(Path(self._ask("lend", wanted, at_once=at_once)))

    def give_back(self, wanted: Wanted) -> None:
        """Say that this worker does not use it now."""
        self._ask("give_back", wanted)

    def renew(self, wanted: Wanted, session: str) -> None:
        """Say that the session of this id is broken: who asks next gets a fresh one."""
        self._ask("renew", wanted, session=session)

    def close(self) -> None:
        """Leave. The controller does the same for a worker that cannot."""
        if "_connection" in self.__dict__:
            self._connection.close()

    @cached_property
    def _connection(self) -> socket.socket:
        return connect(self._directory / meeting.BROKER)

    def _ask(self, do: str, wanted: Wanted, **arguments: Any) -> str:
        with self._one_by_one:
            try:
                self._connection.sendall(encode({"do": do, "wanted": wanted, **arguments}))
                line = self._answer()
            except OSError as error:
                raise BackendError(
                    f"the controller of this run does not answer: {os.strerror(error.errno or 0)}"
                ) from error
        answer = decode(line)
        if "error" not in answer:
            return str(answer["ok"])
        failure = error_from_json(answer["error"])
        if isinstance(failure, RequirementError):
            failure.missing = tuple(answer["error"]["missing"])
        raise failure

    def _answer(self) -> bytes:
        with self._connection.makefile("rb") as lines:  # an answer is one line, and nothing comes unasked
            if line := lines.readline():
                return line
        raise ConnectionResetError
