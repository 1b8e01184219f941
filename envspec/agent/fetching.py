"""Getting models onto this node: a process for each, since their libraries do not belong into the agent's."""

from __future__ import annotations

import os

from envspec.agent.calls import Call, Node
from envspec.agent.piped import PipedChild, Program
from envspec.agent.processes import SpawnError
from envspec.agent.reaper import Exit
from envspec.agent.wire import Message
from envspec.errors import ModelUnavailableError

LOG = "fetcher.log"


def is_found(model: Message) -> bool:
    """Tell whether a model's files are all there."""
    from envspec.models import SOURCES
    from envspec.models.source import Host

    source = SOURCES[model["source"]]
    return source.find(source.options(**model["options"]), Host.of(os.environ)).complete


class Fetching:
    """The verb `fetch`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def fetch(self, call: Call) -> None:
        """Verb: make or fetch a model, unless its directory is complete already."""
        model = call["model"]
        if is_found(model):
            call.reply(path=model["path"], cached=True)
            return
        results: list[Message] = []
        argv = (self._node.python, "-P", "-m", "envspec.models.fetcher")
        program = Program(argv, str(self._node.folder), self._node.directory / LOG)
        try:
            child = PipedChild(self._node, program, results.append, lambda how: self._ended(call, results, how))
        except SpawnError as error:
            call.fail(ModelUnavailableError(f"the model {model['name']} cannot be fetched: {error}"))
            return
        child.send(model)

    def _ended(self, call: Call, results: list[Message], how: Exit) -> None:
        """The fetcher's last message counts; dying without one is an error of its own."""
        result = results[-1] if results else {}
        if "path" in result:
            call.reply(path=result["path"], cached=bool(result.get("cached")))
            return
        ending = how.signal or f"exit code {how.exit_code}"
        log = self._node.directory / LOG
        message = f"fetching the model {call['model']['name']} ended with {ending}; its output is in {log}"
        call.fail(ModelUnavailableError(str(result.get("message", message)), hint=str(result.get("hint", ""))))
