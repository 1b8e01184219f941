"""Why a claim failed, in sentences that name whoever has the port."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from envspec.errors import PortUnavailableError
from envspec.leases import sysctl
from envspec.leases.hold import overlap
from envspec.leases.owner import Owner, find_owners, open_sockets, user_name
from envspec.leases.sockets import ANY, BOUND, LISTEN, TIME_WAIT, TcpSocket, sockets

Whose = Callable[[str, int], str]
"""Says which replica of a session has a port number, empty where that is not known."""

_LABELS_SHOWN = 5
_USE = {LISTEN: "in use by", BOUND: "held, not listened on, by"}
_CONNECTED = "in use, as the local end of a connection, by"


def nobodys(_session: str, _number: int) -> str:
    """Know of no replica."""
    return ""


def taken(host: str, number: int, whose: Whose = nobodys) -> PortUnavailableError:
    """Explain why the fixed port `number` cannot be claimed on `host`."""
    there = [found for found in sockets(ANY) if found.port == number and overlap(found.host, host)]
    what = f"port {number} on {host}"
    if not there:
        return PortUnavailableError(
            f"{what} is in use, by a socket that this kernel does not list: most likely another envspec session's hold",
            hint="`envspec ps` lists the sessions and their ports",
        )
    holder = max(there, key=_weight)
    if not holder.inode:
        return PortUnavailableError(
            f"{what} is not free yet: its last server has ended, but connections to it linger in the kernel"
            f"{' (TIME_WAIT)' if holder.state == TIME_WAIT else ''}",
            hint="this passes within 60 s; `auto` in place of the number never meets it",
        )
    owner = find_owners([holder.inode]).get(holder.inode)
    if owner is None:
        return PortUnavailableError(
            f"{what} is in use by a process of user {user_name(holder.uid)} that cannot be seen from here",
            hint="root finds it with `ss -tlnp`; or write `auto` in place of the number",
        )
    if owner.session and not owner.replica:
        owner = replace(owner, replica=whose(owner.session, number))
    return PortUnavailableError(f"{what} is {_USE.get(holder.state, _CONNECTED)} {owner}", hint=_way_out(owner))


def exhausted(ranges: Sequence[tuple[int, ...]], count: int) -> PortUnavailableError:
    """Explain why `ranges`, whose ends are included, have no free block of `count` numbers."""
    numbers = {number for first, last in ranges for number in range(first, last + 1)}
    users = {found.port: found for found in sorted(sockets(ANY), key=_weight) if found.port in numbers}
    sought = "free port" if count == 1 else f"{count} free ports in a row"
    where = " or ".join(f"{first}-{last}" for first, last in ranges)
    if not numbers:
        return PortUnavailableError(f"the range {where} is empty", hint="its end, or the port's `max`, is too low")
    return PortUnavailableError(
        f"no {sought} in {where}: {len(users)} of {len(numbers)} taken{_by_whom(users, numbers)}",
        hint="widen the range, or stop sessions that nobody needs: `envspec ps`, `envspec down`",
    )


def _by_whom(users: Mapping[int, TcpSocket], numbers: set[int]) -> str:
    owners = find_owners([found.inode for found in users.values()])
    own = set(open_sockets(os.getpid()))  # an agent, which asks, claims ports for one environment alone
    counts = Counter(_label(found, owners, own) for found in users.values())
    shown = counts.most_common(_LABELS_SHOWN)
    parts = [f"{n} by {label}" for label, n in shown]
    if others := len(users) - sum(n for _, n in shown):
        parts.append(f"{others} by others")
    if reserved := len(numbers & sysctl.reserved_ports()):
        parts.append(f"{reserved} kept back in net.ipv4.ip_local_reserved_ports")
    return f" ({', '.join(parts)})" if parts else ""


def _label(found: TcpSocket, owners: Mapping[int, Owner], own: Set[int]) -> str:
    if not found.inode:
        return "connections that linger (TIME_WAIT)"
    if found.inode in own:
        return "this very environment"
    owner = owners.get(found.inode)
    return owner.label if owner else f"processes of user {user_name(found.uid)}"


def _weight(found: TcpSocket) -> int:
    """Rank what is found at one port: who listens, who holds, who has it as the source of a connection, remains."""
    return {LISTEN: 3, BOUND: 2}.get(found.state, 1 if found.inode else 0)


def _way_out(owner: Owner) -> str:
    if owner.session:
        return f"`envspec down {owner.session}` frees it; `auto` in place of the number avoids it"
    return "stop that process, or write `auto` in place of the number"


def impossible(host: str, fixed: int | None, error: OSError) -> PortUnavailableError:
    """Explain a claim that failed for another reason than that somebody has the number."""
    what = f"port {fixed} on {host}" if fixed else f"a port on {host}"
    if error.errno == errno.EACCES:
        lowest = sysctl.first_unprivileged_port()
        return PortUnavailableError(
            f"{what} cannot be claimed: those below {lowest} are for root and CAP_NET_BIND_SERVICE",
            hint=f"choose a port from {lowest} up, or `auto`",
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return PortUnavailableError(
            f"no further port can be held: each takes an open file, and this process may have {soft}",
            hint=f"raise the limit: `ulimit -n` (the hard limit is {hard})",
        )
    if isinstance(error, socket.gaierror) or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return PortUnavailableError(
            f"{host} is not an address of this machine, so no port can be had there",
            hint="127.0.0.1 serves this machine alone, 0.0.0.0 everybody who can reach it",
        )
    return PortUnavailableError(f"{what} cannot be claimed: {error}")
