"""`etcd`: the member says that it is healthy, and reads through the leader."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from envspec.health.base import FIVE_SECONDS, PLACES, Answer, Context, Target, Validator, ask_each
from envspec.health.tls import Tls
from envspec.health.values import PositiveDuration
from envspec.health.web import Connection, Response

ANY_KEY = {"key": "AA==", "limit": "1", "keys_only": True}
"""A range over the key \\0, in base64 as etcd's JSON gateway wants it: cheap, and linearizable as reads are."""


class Etcd(Validator):
    """`/health` says true, and a linearizable read is answered, which needs a leader and a quorum."""

    choose_one: ClassVar = PLACES

    port: str | None = None
    """A port of the service itself, by name: that of clients."""
    endpoint: str | None = None
    """A port of any service: `etcd.client` is every replica's, `etcd.1.client` that one's."""
    tls: Tls | None = None
    """Speak TLS, also where the scheme is not https."""
    timeout: PositiveDuration = FIVE_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Ask each member both."""
        return ask_each(context.targets, context.timeout, lambda target: self._ask(target, context.timeout))

    def _ask(self, target: Target, timeout: float) -> Answer:
        with Connection(target, self.tls, timeout) as connection:
            health = connection.ask("GET", "/health")
            if not _says_true(health):
                why = ', but the body is not etcd\'s {"health":"true"}' if health.status == HTTPStatus.OK else ""
                return Answer(passed=False, text=f"{health}{why}")
            read = connection.ask("POST", "/v3/kv/range", body=ANY_KEY)
        return Answer(passed=_was_read(read), text=f"healthy; read: {read}")


def _says_true(response: Response) -> bool:
    """The status alone is not enough, and the value is the text "true", not a boolean (a boolean is taken as well)."""
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and str(body.get("health")).lower() == "true"


def _was_read(response: Response) -> bool:
    # With authentication on, or the gateway off, /health must do: it reads through the leader too, since etcd 3.4.
    return response.status in (200, 404) or b"user name is empty" in response.body
