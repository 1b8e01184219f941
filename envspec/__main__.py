"""`python -m envspec` is `envspec`; both begin here, before anything that takes long to import."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

GARBAGE = 200_000
"""New objects after which garbage is looked for. Imports make few cycles; at Python's 700, looking took 7 % of them.
One look at the 80,000 objects that reading a file leaves took 20 ms."""


def run() -> int:
    """Run the command line and return its exit code."""
    gc.set_threshold(GARBAGE)
    # Commands that have something to stop by then handle Ctrl-C themselves. Before, KeyboardInterrupt could come up
    # in the middle of an import, of which Python then prints where, or loses it in a callback of importlib.
    signal.signal(signal.SIGINT, _leave)
    from envspec.cli.early import early_agent, import_without_openssl
    from envspec.cli.streams import open_for_any_text

    open_for_any_text()
    agent = early_agent(sys.argv[1:])
    if agent is not None:
        import_without_openssl()
    from envspec.cli.main import main

    return main(agent=agent)


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(128 + signal.SIGINT)


if __name__ == "__main__":
    sys.exit(run())
