"""`envspec up` in the foreground: the environment lives as long as this process."""

from __future__ import annotations

import asyncio
import socket
import sys

from envspec.cli import terminal
from envspec.cli.interruption import INTERRUPTED, Interruption
from envspec.cli.screen import Screen, screen_on
from envspec.errors import EnvspecError, ServiceError
from envspec.report.failure import failure, failure_lines
from envspec.report.summary import stopped, summary
from envspec.report.text import BLANK, line
from envspec.session.request import Request
from envspec.session.session import Session

LEFT_UP = line(("kept", "dim"), "  what runs is left as it is, to look at it; ", ("Ctrl-C", "bold"), " stops it")


def up_foreground(request: Request, agent: socket.socket | None, form: str) -> int:
    """Run an environment until a signal comes or it is over; return the exit code.

    Raises:
        EnvspecError: it did not start; everything is stopped again.
    """
    return asyncio.run(_Foreground(Session(request, agent_started=agent), request, form).run())


class _Foreground:
    """One session in the foreground, from its start to its end."""

    def __init__(self, session: Session, request: Request, form: str) -> None:
        self._session = session
        self._request = request
        self._json = form == "json"
        self._stream = sys.stderr if self._json else sys.stdout
        self._screen: Screen = screen_on(self._stream)
        session.subscribe(lambda event: self._screen.event(event, session.status))

    async def run(self) -> int:
        with Interruption(self._screen.close) as interruption:
            try:
                if await interruption.cuts_short(self._session.start()):
                    await self._stop(interruption.reason)
                    return INTERRUPTED
            except EnvspecError as error:
                return await self._failed(error, interruption)
            finally:
                self._screen.close()
            self._healthy()
            await interruption.cuts_short(self._session.wait_over())
            return await self._over(interruption.reason)

    def _healthy(self) -> None:
        status = self._session.status
        if self._json:
            terminal.show_json(status.to_json())
        else:
            terminal.show([*summary(status, self._session.plan, detached=False), BLANK])

    async def _failed(self, error: EnvspecError, interruption: Interruption) -> int:
        """Leave what runs for inspection where that was asked for.

        Raises:
            EnvspecError: nothing runs any more.
        """
        if not (self._request.keep_on_failure and isinstance(error, ServiceError)):
            raise error
        self._screen.close()
        terminal.show([*failure(error), BLANK, LEFT_UP], sys.stderr)
        await interruption.cuts_short(self._session.wait_over())
        await self._stop(interruption.reason)
        return error.exit_code

    async def _over(self, reason: str) -> int:
        before = self._session.status
        await self._stop(reason)
        if before.state in ("failed", "degraded"):
            terminal.show(failure_lines(before.message, before.hint), sys.stderr)
            return before.exit_code or ServiceError.exit_code
        return 0

    async def _stop(self, reason: str) -> None:
        await self._session.stop(reason)
        self._screen.close()
        terminal.show([stopped(self._session.status)], self._stream)
