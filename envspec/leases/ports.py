"""Claiming port numbers: one, a contiguous block, or a fixed one. How a number is kept: `envspec.leases.hold`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

from envspec.leases import sysctl
from envspec.leases.hold import Hold, hold_at, hold_everywhere, require_address
from envspec.leases.refusal import Whose, exhausted, impossible, nobodys, taken

__all__ = ["Hold", "claim"]


def claim(
    host: str,
    ranges: Sequence[tuple[int, ...]],
    *,
    count: int = 1,
    limit: int = 65535,
    fixed: int | None = None,
    whose: Whose = nobodys,
) -> list[Hold]:
    """Claim `count` contiguous port numbers and hold each until it is closed.

    `fixed` asks for exactly that number (and the `count - 1` after it). Otherwise numbers are sought in `ranges`,
    inclusive, one range after another; none means the range for ports that may be any. A block lies within one range
    and ends at or below `limit`. The search begins at a random number, so that processes which search at the same time
    seldom meet.

    A sought number is claimed on all addresses, IPv6 too: nobody else has it anywhere on this host, so neither
    `localhost` nor a server that ignores its host option meets a stranger. A fixed one is claimed on `host` alone;
    `whose` may name the replica of another session that has it.

    Raises:
        PortUnavailableError: the fixed port is taken, and by whom; or no range has a free block, how much of them is
            taken and by whom; or `host` is not an address of this machine; or the limit of open files is reached.
    """
    try:
        if fixed is not None:
            return _claim_fixed(host, range(fixed, fixed + count), whose)
        require_address(host)
        return _claim_sought(host, ranges or (sysctl.lease_range(),), count, limit)
    except OSError as error:
        raise impossible(host, fixed, error) from error


def _claim_fixed(host: str, numbers: range, whose: Whose) -> list[Hold]:
    with ExitStack() as undo:
        block = []
        for number in numbers:
            hold = hold_at(host, number)
            if hold is None:
                raise taken(host, number, whose)
            block.append(undo.enter_context(hold))
        undo.pop_all()
        return block


def _claim_sought(host: str, ranges: Sequence[tuple[int, ...]], count: int, limit: int) -> list[Hold]:
    reserved = sysctl.reserved_ports()
    for first, last in ranges:
        stop = min(last, limit) - count + 2  # the first number at which a block can no longer begin
        middle = first + int.from_bytes(os.urandom(4)) % max(stop - first, 1)  # `random` takes 8 ms to import
        for starts in (range(middle, stop), range(first, middle)):
            if block := _first_free_block(host, starts, count, reserved):
                return block
    raise exhausted([(first, min(last, limit)) for first, last in ranges], count)


def _first_free_block(host: str, starts: range, count: int, reserved: frozenset[int]) -> list[Hold]:
    """Return the first block that begins in `starts` and can be had whole, or an empty list."""
    start = starts.start
    while start < starts.stop:
        with ExitStack() as undo:
            block: list[Hold] = []
            for number in range(start, start + count):
                hold = None if number in reserved else hold_everywhere(host, number)
                if hold is None:
                    start = number + 1  # no block with this number in it can be had
                    break
                block.append(undo.enter_context(hold))
            else:
                undo.pop_all()
                return block
    return []
