"""What a relay does to what passes between a service and its users."""

from __future__ import annotations

from envspec.record import Record


class Toxics(Record):
    """All that is wrong with an endpoint at a time; by default nothing.

    `latency` delays what the service says, by so many seconds, more or less at random by up to `jitter`. With `drop`
    connections are accepted, and nothing passes. `rate` is how many bytes a second pass in either direction, of each
    connection. With `reset` connections are cut by RST, each after the service has said `after_bytes` on it.
    """

    latency: float = 0.0
    jitter: float = 0.0
    drop: bool = False
    rate: float | None = None
    reset: bool = False
    after_bytes: int = 0


NOTHING = Toxics()
"""Everything passes as if there were no relay."""
