"""The owner's end of the line to xdist's workers: a socket in the run's directory, JSON lines.

A worker has one connection as long as it lives; when it closes, for whatever reason, all that it held is given back.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from envspec.agent.wire import Message, decode, encode, error_to_json
from envspec.errors import EnvspecError
from envspec.pytest_plugin.meeting import sweep
from envspec.pytest_plugin.owner import Owner
from envspec.pytest_plugin.wanted import Wanted
from envspec.session.unix_socket import listen


class Broker:
    """Answers workers at `path` until it is closed, each in a thread of its own."""

    def __init__(self, owner: Owner, path: Path) -> None:
        self._owner = owner
        sweep(path.parent)
        self._listener = listen(path)
        threading.Thread(target=self._accept, name="envspec broker", daemon=True).start()

    def close(self) -> None:
        """Take no new connection. Those that are open last as long as their workers."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        for number in count():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            name = f"envspec broker {number}"
            threading.Thread(target=self._serve, args=(connection, name), name=name, daemon=True).start()

    def _serve(self, connection: socket.socket, who: str) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                for line in lines:
                    message = decode(line)
                    connection.sendall(encode({"number": message["number"], **self._answer(message, who)}))
        except (OSError, ValueError):
            pass  # the worker is gone
        finally:
            self._owner.forget(who)

    def _answer(self, message: Message, who: str) -> Message:
        wanted = Wanted(*message["wanted"])
        try:
            match message["do"]:
                case "lend":
                    handle = self._owner.lend(wanted, at_once=message["at_once"], who=who)
                    return {"ok": handle.status().dir, "attached": self._owner.attached(wanted)}
                case "waited_for":
                    return {"ok": self._owner.waited_for(wanted)}
                case "renew":
                    self._owner.renew(wanted, message["session"])
                case _:
                    self._owner.give_back(wanted, who=who)
        except EnvspecError as error:
            missing: Any = getattr(error, "missing", ())
            return {"error": {**error_to_json(error), "missing": list(missing)}}
        return {"ok": ""}
