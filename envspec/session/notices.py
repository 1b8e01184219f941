"""The agent's notices as the session's events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from envspec.agent.wire import Message
from envspec.plan import events as e
from envspec.session.event_log import EventLog


def tell(
    log: EventLog, notice: Message, *, ordered: bool = False, expected: bool = False, restarts: bool = False
) -> None:
    """Record the event that a notice stands for, at the agent's time.

    Of an exit or of failed liveness, `ordered` says that a user ordered it and `restarts` that a new start follows; of
    an exit, `expected` that it is in a task's nature.
    """
    at = notice.get("at")
    if notice["notice"] == "exited":
        ordered = ordered or bool(notice.get("stopping"))
        log.record(replace(_exited(notice), ordered=ordered, expected=expected or ordered, restarts=restarts), at)
        return
    if notice["notice"] == "unhealthy":
        log.record(replace(_unhealthy(notice), ordered=ordered, restarts=restarts), at)
        return
    make = _EVENTS.get(notice["notice"])
    if make is not None:
        log.record(make(notice), at)


def _exited(notice: Message) -> e.ReplicaExited:
    return e.ReplicaExited(
        replica=notice["replica"],
        pid=notice["pid"],
        exit_code=notice["exit_code"],
        signal=notice["signal"],
        expected=False,
        oom=notice.get("oom", ""),
    )


def _unhealthy(notice: Message) -> e.ReplicaUnhealthy:
    return e.ReplicaUnhealthy(replica=notice["replica"], check=notice["check"], answer=notice["text"])


def _answered(notice: Message) -> e.Event:
    return e.CheckAnswered(
        replica=notice["replica"],
        check=notice["check"],
        passed=notice["passed"],
        answer=notice["text"],
        tries=notice["tries"],
    )


def _of_model(notice: Message) -> e.Event:
    return _OF_MODELS[notice["what"]](notice)


_OF_MODELS: dict[str, Callable[[Any], e.Event]] = {
    "progress": lambda said: e.ModelProgress(
        model=said["model"], done=said["done"], total=said["total"], kept=said["kept"]
    ),
    "waiting": lambda said: e.ModelWaiting(model=said["model"], holder=said["holder"]),
    "retrying": lambda said: e.ModelRetrying(
        model=said["model"], reason=said["reason"], seconds=said["seconds"], attempt=said["attempt"]
    ),
}

# A notice that is not here changes nothing by itself: `healthy` becomes an event once `after_healthy` is done.
_EVENTS: dict[str, Callable[[Any], e.Event]] = {
    "answer": _answered,
    "listening": lambda notice: e.ReplicaListening(
        replica=notice["replica"], port=notice["port"], number=notice["number"]
    ),
    "model": _of_model,
    "warning": lambda notice: e.Warned(message=notice["message"], replica=notice.get("replica", "")),
}
