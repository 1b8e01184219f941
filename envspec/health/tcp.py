"""`tcp`: somebody accepts connections."""

from __future__ import annotations

import socket
from typing import ClassVar

from envspec.health.base import ONE_SECOND, PLACES, Answer, Context, Target, Validator, ask_each
from envspec.health.values import PositiveDuration


class Tcp(Validator):
    """A TCP connection is accepted. Says nothing about what the server is able to do."""

    choose_one: ClassVar = PLACES

    port: str | None = None
    """A port of the service itself, by name."""
    endpoint: str | None = None
    """A port of any service: `worker.http` is every replica's, `worker.1.http` that one's."""
    timeout: PositiveDuration = ONE_SECOND
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Connect, and hang up."""
        return ask_each(context.targets, context.timeout, lambda target: _connect(target, context.timeout))


def _connect(target: Target, timeout: float) -> Answer:
    with socket.create_connection((target.host, target.port), timeout):
        return Answer(passed=True, text="accepts connections")
