"""A command in the foreground of our terminal, held until somebody who would end it with us knows its pid."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from envspec.agent.processes import RESTORED


class HeldCommand:
    """A forked process that becomes the command when it is let go, and ends at once should we end before that.

    It has our terminal, working directory and process group, so that Ctrl-C reaches it. It inherits what a shell
    opened for it, as in `<(…)`, and nothing that we opened.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._argv = list(argv)
        self._env = dict(env)
        held, self._gate = os.pipe()
        self._report, report = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate)  # else our end would hold it for ever
            self._become(held, report)
        os.close(held)
        os.close(report)

    def let_go(self) -> None:
        """Let it become the command, and return when it has, or has ended.

        Raises:
            OSError: it cannot be executed; FileNotFoundError where there is no such command.
        """
        with suppress(BrokenPipeError):  # a signal has ended it meanwhile
            os.write(self._gate, b"\n")
        with os.fdopen(self._report, "rb") as report:  # its end closes on exec
            failure = report.read()
        if failure:
            self.wait()
            raise OSError(int(failure), os.strerror(int(failure)), self._argv[0])

    def wait(self) -> int:
        """Wait for its end and return its exit code, -n where signal n ended it."""
        os.close(self._gate)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _become(self, held: int, report: int) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)  # it leads into our own event loop
            for number in RESTORED:
                signal.signal(number, signal.SIG_DFL)
            if os.read(held, 1):
                os.execvpe(self._argv[0], self._argv, self._env)  # noqa: S606  the command that the user typed
        except OSError as error:
            os.write(report, str(error.errno).encode())
        finally:
            os._exit(127)
