"""A command in the foreground of this terminal: its keyboard, its screen, its exit code.

It is no service, so no agent starts it: it shares our terminal and process group, and Ctrl-C is meant for it alone.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

from envspec.agent.foreground import HeldCommand

NOT_EXECUTABLE = 126
NOT_FOUND = 127
"""What shells return for a command that cannot be run, and for one that does not exist."""
PASSED_ON = (signal.SIGTERM, signal.SIGHUP)


def missing(command: str) -> tuple[int, str] | None:
    """Return an exit code and a sentence for a command that cannot be started, or None."""
    if shutil.which(command) is not None:
        return None
    if os.sep in command and os.path.exists(command):  # noqa: PTH110  the text is what the user typed, not a Path
        return NOT_EXECUTABLE, f"{command} cannot be executed"
    return NOT_FOUND, f"command not found: {command}"


async def foreground(command: Sequence[str], environ: Mapping[str, str], tie: Callable[[int], Awaitable[None]]) -> int:
    """Run a command to its end and return its exit code, 128+n where signal n ended it.

    It begins when `tie`, which is told its pid, has seen to it that the command will not outlive us.
    SIGINT does nothing to us meanwhile, because the terminal sends it to the command too; SIGTERM and SIGHUP are passed
    on.
    """
    # By a handler that does nothing: SIG_IGN would stay across exec, and the command must hear its own Ctrl-C.
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    command_is: list[int] = []
    loop = asyncio.get_running_loop()
    for number in PASSED_ON:
        # Before the command is there: a signal that came right behind it would else end us, and leave it alone. The
        # loop calls back when it is awaited again, and by then there is somebody to pass the signal on to.
        loop.add_signal_handler(number, _pass_on, command_is, number)
    try:
        process = HeldCommand(command, environ)
        command_is.append(os.pidfd_open(process.pid))
        await tie(process.pid)
        process.let_go()
        await _end_of(command_is[0])
        code = process.wait()
        return code if code >= 0 else 128 - code
    finally:
        for number in PASSED_ON:
            loop.remove_signal_handler(number)
        for descriptor in command_is:
            os.close(descriptor)
        signal.signal(signal.SIGINT, before)


def _pass_on(command_is: list[int], number: int) -> None:
    for descriptor in command_is:
        signal.pidfd_send_signal(descriptor, number)


async def _end_of(process: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process)
