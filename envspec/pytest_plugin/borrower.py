"""A worker's end of the line to the process that owns the environments."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from envspec.agent.wire import Message, decode, encode, error_from_json
from envspec.errors import BackendError, EnvspecError, RequirementError
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
        self._questions = 0
        self._heard = b""
        self._attached: dict[Wanted, float | None] = {}

    def expect(self, groups: Groups) -> None:
        """Leave word of the tests where the controller looks when it hears that this worker has collected them."""
        meeting.leave_word(self._directory, self._worker, groups)

    def lend(self, wanted: Wanted, *, at_once: bool = False) -> Control:
        """Return a healthy environment, which stays up until it is given back.

        Raises:
            EnvspecError: it did not start, now or when it was first tried.
        """
        try:
            answer = self._ask("lend", wanted, at_once=at_once)
            self._attached[wanted] = answer["attached"]
            return Control(Path(answer["ok"]))
        except EnvspecError:
            raise
        except BaseException:  # Ctrl-C, or a timeout of pytest's: nobody has it who would give it back
            with suppress(OSError):
                self._send("give_back", wanted)
            raise

    def attached(self, wanted: Wanted) -> float | None:
        """Return the seconds that it took to get one, lent now, which was up before the run; None where it was not."""
        return self._attached.get(wanted)

    def waited_for(self, wanted: Wanted) -> str:
        """Return what the start of one waits for; empty where that is not known."""
        other = Borrower(self._directory, self._worker)  # on our own line, its answer would come after the environment
        try:
            return str(other._ask("waited_for", wanted)["ok"])
        except EnvspecError:
            return ""
        finally:
            other.close()

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

    def _ask(self, do: str, wanted: Wanted, **arguments: Any) -> Message:
        with self._one_by_one:
            try:
                answer = self._answer(self._send(do, wanted, **arguments))
            except OSError as error:
                raise BackendError(
                    f"the controller of this run does not answer: {os.strerror(error.errno or 0)}"
                ) from error
        if "error" not in answer:
            return answer
        failure = error_from_json(answer["error"])
        if isinstance(failure, RequirementError):
            failure.missing = tuple(answer["error"]["missing"])
        raise failure

    def _send(self, do: str, wanted: Wanted, **arguments: Any) -> int:
        self._questions += 1
        self._connection.sendall(encode({"number": self._questions, "do": do, "wanted": wanted, **arguments}))
        return self._questions

    def _answer(self, number: int) -> Message:
        """Wait for the answer to a question. Those to others come first, where something interrupted who asked."""
        while True:
            line, end, rest = self._heard.partition(b"\n")
            if not end:
                if not (more := self._connection.recv(65536)):
                    raise ConnectionResetError
                self._heard += more
                continue
            self._heard = rest
            if (answer := decode(line))["number"] == number:
                return answer
