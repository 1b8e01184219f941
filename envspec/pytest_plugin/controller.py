"""What an xdist worker owes its controller: not to outlive it.

Execnet ends a worker when its controller's pipe closes, but only once the running test has returned. A test that hangs
would keep the worker, and with it the environment, long after somebody has killed the controller.
"""

from __future__ import annotations

import os
import select
import threading
from shutil import rmtree
from typing import NoReturn


def end_with_controller(meeting: str) -> None:
    """End this process at once when its parent, the controller, is gone. The agents end what it started.

    The directory where the run met, if it has one, goes too.
    """
    controller = os.getppid()
    try:
        descriptor = os.pidfd_open(controller)
    except ProcessLookupError:
        os._exit(1)

    def watch() -> NoReturn:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.poll()
        if meeting:
            rmtree(meeting, ignore_errors=True)
        os._exit(1)  # there is nobody left to report to

    threading.Thread(target=watch, name="envspec controller", daemon=True).start()
