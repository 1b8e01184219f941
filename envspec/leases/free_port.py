"""`find_free_port`: a port for a test that starts its own server."""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack

from envspec.leases.ports import Hold, claim

_held: list[Hold] = []
_unheld: set[int] = set()


def find_free_port(range: tuple[int, int] | None = None, *, hold: bool = True) -> int:  # noqa: A002  reads best so
    """Return a port number that nobody else gets until this process ends.

    It is leased, not guessed: kept bound, on all addresses and without listening, so that neither the kernel nor
    another claim hands it out. A server may bind over it if it sets SO_REUSEADDR or SO_REUSEPORT, as nearly all do
    (http.server, uvicorn, Go, Rust's tokio). For one that sets neither say `hold=False`: the number is then free at
    this moment and not given out again by this process, but nothing keeps others from it.

    The lease is this process's own: a child made by fork has no part in it and does not prolong it.

    Args:
        range: first and last number to choose from, both included; by default 20000 to 32767, less where the range
            from which the kernel serves outgoing connections begins lower.
        hold: whether to keep the number bound.

    Raises:
        PortUnavailableError: no number of the range is free; says by whom they are taken.
    """
    ranges = [range] if range else []
    if hold:
        [lease] = claim("127.0.0.1", ranges)
        _held.append(lease)
        return lease.number
    with ExitStack() as already_given:
        while (lease := claim("127.0.0.1", ranges)[0]).number in _unheld:
            already_given.enter_context(lease)
        lease.close()
    _unheld.add(lease.number)
    return lease.number


def _forget() -> None:
    for hold in _held:
        hold.close()
    _held.clear()


os.register_at_fork(after_in_child=_forget)  # it must not keep what its parent gives back by ending
atexit.register(_forget)  # the interpreter would warn of sockets that nobody closed
