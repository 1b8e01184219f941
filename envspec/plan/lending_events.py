"""Events of a session that is lent from one test run to the next."""

from __future__ import annotations

from envspec.plan.event import Event


class SessionIdentified(Event):
    """The hash of all that makes this session what it is; the document behind it is in `identity.json`."""

    identity: str


class SessionLent(Event):
    """A test run uses the session from now on; `to` names it."""

    to: str


class SessionReturned(Event):
    """The session's user is gone. It stops in `ttl` seconds unless it is lent again; null: it goes on."""

    ttl: float | None
