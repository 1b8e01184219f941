"""A program that is hard to end: it daemonises three times over, and all four processes ignore SIGTERM."""

from __future__ import annotations

import json

# Listens on the ports that it is given. Once it says "up", its log names every process: "leader PID", "head PID".
HYDRA = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
listeners = [socket.create_server(("127.0.0.1", int(port)), backlog=5) for port in sys.argv[1:]]
print("leader", os.getpid(), flush=True)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if head := os.fork():
            print("head", head, flush=True)
            os._exit(0)
        time.sleep(600)
    os.wait()
print("up", flush=True)
time.sleep(600)
"""

COMMAND = "python hydra.py"

# An environment, but for its version, of one service named hydra.
ENVIRONMENT = "services: " + json.dumps(
    {
        "hydra": {
            "command": COMMAND.split(),
            "files": {"hydra.py": HYDRA},
            "health": [{"log": {"match": "^up$"}}],
            "stop": {"timeout": "200ms"},
        }
    }
)


def heads_in(log: str) -> list[int]:
    """Return the daemons that a hydra named in its log."""
    return [int(line.removeprefix("head ")) for line in log.splitlines() if line.startswith("head ")]
