"""The ports of a node's replicas, held in the kernel's name from lease to end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envspec.agent.calls import Call
from envspec.errors import PortUnavailableError
from envspec.leases.owner import Owner, find_owners
from envspec.leases.ports import Hold, claim
from envspec.leases.sockets import LISTEN, sockets
from envspec.plan.codec import from_json
from envspec.plan.plan import PortRequest


class Holds:
    """All holds of this agent, by port number. `directory` is its session's, which lies beside those of others."""

    def __init__(self, session: str, directory: Path) -> None:
        self._session = session
        self._sessions = directory.parent
        self._held: dict[int, Hold] = {}

    def lease(self, call: Call) -> None:
        """Verb: claim every requested port, or none."""
        requests = [from_json(PortRequest, item) for item in call["requests"]]
        claimed: list[Hold] = []
        ports: dict[str, dict[str, list[int]]] = {}
        try:
            for request in requests:
                block = self._claim_for(request)
                claimed += block
                ports.setdefault(request.replica, {})[request.port] = [hold.number for hold in block]
        except PortUnavailableError as error:
            for hold in claimed:
                hold.close()
            call.fail(error)
            return
        self._held.update({hold.number: hold for hold in claimed})
        call.reply(ports=ports)

    def listeners(self, call: Call) -> None:
        """Verb: say who listens on ports, as far as that can be seen; for a service that could not bind them."""
        inodes = {found.port: found.inode for found in sockets(LISTEN) if found.port in call["ports"]}
        owners = find_owners(inodes.values())
        call.reply(listeners={port: self._named(owners[inode]) for port, inode in inodes.items() if inode in owners})

    def release(self, numbers: tuple[int, ...]) -> None:
        """Give back ports whose server sets no reuse flag and could not bind over a hold."""
        for number in numbers:
            hold = self._held.pop(number, None)
            if hold is not None:
                hold.close()

    def _named(self, owner: Owner) -> str:
        is_ours = owner.replica and owner.session == self._session
        return f"{owner.replica}, pid {owner.pid}" if is_ours else str(owner)

    def _claim_for(self, request: PortRequest) -> list[Hold]:
        """Claim a port.

        Raises:
            PortUnavailableError: it cannot be had; says which port of the file that is.
        """
        try:
            return self._claim(request)
        except PortUnavailableError as error:
            where = f" ({request.position})" if request.position else ""
            wanted = f"{request.replica}.{request.port}{where}"
            raise PortUnavailableError(f"no port for {wanted}: {error}", hint=error.hint) from error

    def _claim(self, request: PortRequest) -> list[Hold]:
        return claim(
            request.host,
            request.ranges,
            count=request.count,
            limit=request.max,
            fixed=request.fixed,
            whose=self._replica_of,
        )

    def _replica_of(self, session: str, number: int) -> str:
        """Return the replica to which another session of this node gave a port, by the plan that it keeps."""
        try:
            plan = json.loads((self._sessions / Path(session).name / "plan.json").read_bytes())
        except (OSError, ValueError):
            return ""  # a session of another user or state directory
        replicas = [replica for service in plan["services"] for replica in service["replicas"]]
        owners = [replica["name"] for replica in replicas if number in _numbers(replica)]
        return str(owners[0]) if owners else ""


def _numbers(replica: Mapping[str, Any]) -> set[int]:
    """Return the numbers that a replica of a plan has, with those behind relays."""
    known = {number for block in replica["ports"].values() for number in block}
    return known | {own["port"] for own in replica.get("relayed", {}).values()}
