"""Events of a session that is lent from one test run to the next."""

from __future__ import annotations

from dataclasses import dataclass

from envspec.plan.event import Event


@dataclass(frozen=True, kw_only=True)
class SessionIdentified(Event):
    """The hash of all that makes this session what it is; the document behind it is in `identity.json`."""

    identity: str


@dataclass(frozen=True, kw_only=True)
class SessionLent(Event):
    """A test run uses the session from now on; `to` names it."""

    to: str


@dataclass(frozen=True, kw_only=True)
class SessionReturned(Event):
    """The session's user is gone. It stops in `ttl` seconds unless it is lent again; null: it goes on."""

    ttl: float | None
