"""The last lines of a replica's log, fit to be shown: whatever bytes the program wrote."""

from __future__ import annotations

import base64

from envspec.errors import EnvspecError
from envspec.session.agent_client import AgentClient
from envspec.session.event_log import Redact
from envspec.session.harmless import harmless

LINES = 20
LONGEST_LINE = 300
"""Characters kept of a line. Programs that dump JSON or progress bars write some of a megabyte."""
BYTES = 16384


def tail(data: bytes, redact: Redact, *, whole: bool) -> tuple[str, ...]:
    """Return the last lines of `data` without secrets, and with nothing in them that a terminal obeys.

    `whole` says that `data` begins where the log does; else its first line is cut: it is left out where there are
    others, and of one line alone the end is shown.
    """
    # A carriage return starts the line anew (progress bars); only what was left to be seen counts.
    text: str = redact(data.decode(errors="replace"))  # before anything is cut: half a secret is not known for one
    lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
    if lines and not lines[-1]:
        del lines[-1]
    if not whole and len(lines) == 1:
        return (f"… {harmless(lines[0])[-LONGEST_LINE:]}",)
    if not whole:
        del lines[:1]
    return tuple(_clipped(harmless(line)) for line in lines[-LINES:])


def _clipped(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} … ({len(line)} characters)"


async def read_tail(agent: AgentClient, replica: str, redact: Redact) -> tuple[str, ...]:
    """Return the last lines that a replica wrote; none where the agent cannot say, for this decorates an error."""
    try:
        answer = await agent.request("log", replica=replica, offset=-BYTES, limit=BYTES)
    except EnvspecError:
        return ()
    return tail(base64.b64decode(answer["data"]), redact, whole=answer["offset"] == 0)
