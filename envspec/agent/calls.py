"""A request that is being served, and the node it is served on."""

from __future__ import annotations

import errno
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from envspec.agent.loop import Loop
from envspec.agent.reaper import Reaper
from envspec.agent.shared_memory import SharedMemory
from envspec.agent.wire import Message, error_to_json

if TYPE_CHECKING:
    from envspec.errors import EnvspecError


class Call:
    """One request. Whoever serves it answers once, now or later; a second answer is left out."""

    def __init__(self, message: Message, send: Callable[[Message], None]) -> None:
        self.verb = str(message.get("do"))
        self.arguments: Mapping[str, Any] = message
        self._id = message.get("id")
        self._send: Callable[[Message], None] | None = send

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument that may be missing."""
        return self.arguments.get(name, default)

    def reply(self, **ok: Any) -> None:
        """Answer that it is done."""
        self._answer({"id": self._id, "ok": ok})

    def fail(self, error: EnvspecError) -> None:
        """Answer that it could not be done."""
        self._answer({"id": self._id, "error": error_to_json(error)})

    def _answer(self, message: Message) -> None:
        send, self._send = self._send, None
        if send is not None:
            send(message)


Verb = Callable[[Call], None]


def serve(verb: Verb, call: Call) -> None:
    """Let `verb` serve the call, and answer with what it raises. A bug in the agent itself still ends the agent."""
    try:
        verb(call)
    except _refusal() as error:
        call.fail(error)
    except OSError as error:
        call.fail(_refused_by_system(error))
    except (KeyError, TypeError, ValueError) as error:  # something is missing in the request, or of the wrong type
        sys.excepthook(type(error), error, error.__traceback__)
        call.fail(_misunderstood(call, error))


def _refusal() -> type[EnvspecError]:
    """Return the class of errors that are answers; evaluated, and imported, only when there is one to catch."""
    from envspec.errors import EnvspecError

    return EnvspecError


def _misunderstood(call: Call, error: Exception) -> EnvspecError:
    from envspec.errors import BackendError

    return BackendError(f"the agent does not understand the request {call.verb!r}: {error!r}")


def _refused_by_system(error: OSError) -> EnvspecError:
    """Return what the kernel's refusal means, above all that of one more descriptor."""
    from envspec.errors import BackendError, ResourceError

    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return BackendError(f"the agent was refused something by the system: {error}")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    message = f"the agent has no file descriptor left: it may have {limit}, and needs two per port and two per service"
    return ResourceError(message, hint="raise the hard limit (`ulimit -Hn`), or declare fewer services and ports")


class Node(NamedTuple):
    """What every part of an agent needs, known once the owner has said hello.

    `folder` is the environment file's, `python` the interpreter that has the validators' libraries.
    """

    loop: Loop
    reaper: Reaper
    shared_memory: SharedMemory
    send: Callable[..., None]
    session: str
    directory: Path
    folder: Path
    python: str

    def notify(self, notice: str, *, droppable: bool = False, **fields: Any) -> None:
        """Tell the owner something, stamped with the monotonic clock in seconds."""
        self.send({"notice": notice, "at": time.monotonic(), **fields}, droppable=droppable)
