"""A process that owns a session and then does nothing: `python -m tests.session.owner FILE`, killed by its test."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from envspec.session.request import Request
from envspec.session.thread import BackgroundSession


def main() -> None:
    session = BackgroundSession(Request(Path(sys.argv[1]), environ=dict(os.environ)))
    session.start()
    print(session.status().id, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
