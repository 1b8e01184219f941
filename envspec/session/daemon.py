"""The process of a detached session: `python -m envspec.session.daemon FD`, with a socket to whoever started it.

The agent is started before anything that takes long to import, and comes up meanwhile.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from envspec.agent.wire import Message, decode
from envspec.backends.local import LocalBackend, launch_early
from envspec.session.request import Request


def main() -> None:
    """Read a request from the socket and run its session until it is over."""
    starter = socket.socket(fileno=int(sys.argv[1]))
    message = decode(_line(starter))
    request = _request(message)
    os.chdir("/")  # else the directory we were started in could not be unmounted
    backend = LocalBackend(launch_early()) if request.backend == LocalBackend.name else None

    import asyncio

    from envspec.session.detached import Terms, serve

    asyncio.run(serve(starter, request, backend, Terms(message.get("lent_to", ""), message.get("ttl"))))


def _line(stream: socket.socket) -> bytes:
    pieces: list[bytes] = []
    while not pieces or not pieces[-1].endswith(b"\n"):
        piece = stream.recv(65536)
        if not piece:
            sys.exit(0)  # nobody wants it any more
        pieces.append(piece)
    return b"".join(pieces)


def _request(message: Message) -> Request:
    return Request(
        file=Path(message["file"]),
        sets=message["sets"],
        environ=message["environ"],
        keep_on_failure=message["keep_on_failure"],
        backend=message["backend"],
        detached=True,
    )


if __name__ == "__main__":
    main()
