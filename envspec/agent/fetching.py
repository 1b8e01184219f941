"""The verbs about models: where they are, getting them, reading them into the page cache."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from envspec.agent.calls import Call, Node
from envspec.agent.fetcher_client import FetcherClient, Job
from envspec.agent.wire import Message, error_from_json
from envspec.errors import EnvspecError, ModelUnavailableError, UsageError

if TYPE_CHECKING:
    from envspec.models.source import Found


class Fetching:
    """The verbs `find`, `fetch`, `warm` and `end_fetches`. What needs no network, the agent answers itself."""

    def __init__(self, node: Node) -> None:
        self._fetcher = FetcherClient(node)

    def find(self, call: Call) -> None:
        """Verb: say of each model where it is or will be, its commit, and whether it is complete."""
        found: dict[str, Message] = {}
        unknown: list[Message] = []
        for model in call["models"]:
            here = _look(model)
            if here.path:
                found[model["name"]] = here._asdict()
            else:
                unknown.append(model)
        if unknown:
            Resolving(call, found, unknown).begin(self._fetcher)
        else:
            call.reply(models=found)

    def fetch(self, call: Call) -> None:
        """Verb: get a model, unless it is complete already."""
        model = call["model"]
        here = _look(model)
        if here.complete:
            call.reply(path=here.path, commit=here.commit, cached=True, bytes=0, total=0, seconds=0.0)
        else:
            self._fetcher.ask(Job("fetch", model, partial(_answer, call)))

    def warm(self, call: Call) -> None:
        """Verb: read a model's weights into the page cache."""
        self._fetcher.ask(Job("warm", call["model"], partial(_answer, call)))

    def end_fetches(self, call: Call) -> None:
        """Verb: give up whatever is being fetched; each of those calls fails."""
        self._fetcher.end()
        call.reply()


class Resolving:
    """A `find` that waits for the fetcher: answered once all of its models are, with all that cannot be told."""

    def __init__(self, call: Call, found: dict[str, Message], unknown: Iterable[Message]) -> None:
        self._call = call
        self._found = found
        self._waiting = {model["name"]: model for model in unknown}
        self._errors: list[EnvspecError] = []

    def begin(self, fetcher: FetcherClient) -> None:
        """Ask for each model, all at once."""
        for model in tuple(self._waiting.values()):
            fetcher.ask(Job("resolve", model, partial(self._ended, model["name"])))

    def _ended(self, name: str, end: Message) -> None:
        model = self._waiting.pop(name)
        if end["notice"] == "done":
            self._found[name] = {key: end[key] for key in ("path", "commit", "complete")}
        else:
            self._errors.append(_about(model, error_from_json(end)))
        if self._waiting:
            return
        if self._errors:
            self._call.fail(_together(self._errors))
        else:
            self._call.reply(models=self._found)


def _look(model: Message) -> Found:
    """Return what the standard library alone can tell.

    Raises:
        ModelUnavailableError: nobody could, since the model is described wrongly.
    """
    # Here, not above: most environments have no models, and this is 5 ms.
    from envspec.models.planned import look
    from envspec.models.source import Host

    try:
        return look(model, Host.of(os.environ))
    except ModelUnavailableError as error:
        raise _about(model, error) from error


def _answer(call: Call, end: Message) -> None:
    if end["notice"] == "done":
        call.reply(**{name: value for name, value in end.items() if name not in ("key", "notice")})
    else:
        call.fail(_about(call["model"], error_from_json(end)))


def _about(model: Message, error: EnvspecError) -> EnvspecError:
    """Return an error with the model that it is about, and with the place that says so."""
    where = f" ({model['position']})" if model.get("position") else ""
    return type(error)(f"model {model['name']}: {error}{where}", hint=error.hint)


def _together(errors: list[EnvspecError]) -> EnvspecError:
    """Return one error for them all; the first, where it is the only one, or a mistake that has nothing to do with it.

    A variable that is wrong is wrong for every model.
    """
    mistakes = [error for error in errors if isinstance(error, UsageError)]
    if mistakes or len(errors) == 1:
        return [*mistakes, *errors][0]
    lines = [f"{len(errors)} models cannot be had", "", *(f"- {error}" for error in errors)]
    return ModelUnavailableError("\n".join(lines), hint="\n".join(dict.fromkeys(e.hint for e in errors if e.hint)))
