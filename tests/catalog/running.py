"""What `envspec up -d --format json` says of an environment, and what the kernel says of its processes."""

from __future__ import annotations

import ipaddress
from typing import Any

import psutil


class Running:
    """A session that is up, by its documented JSON shape."""

    def __init__(self, session: dict[str, Any]) -> None:
        self.session = session
        self.replicas: dict[str, dict[str, Any]] = {replica["name"]: replica for replica in session["services"]}
        self.pids = [replica["pid"] for replica in self.replicas.values() if replica["pid"]]

    def url(self, replica: str, port: str) -> str:
        url: str = self.replicas[replica]["endpoints"][port]
        return url

    def port(self, replica: str, port: str) -> int:
        number: int = self.replicas[replica]["ports"][port]
        return number

    def states(self) -> dict[str, str]:
        return {name: replica["state"] for name, replica in self.replicas.items()}

    def listeners_beyond_loopback(self) -> list[str]:
        """Return `replica address:port` of every listener that other machines could reach."""
        return [
            f"{name} {connection.laddr.ip}:{connection.laddr.port}"
            for name, replica in self.replicas.items()
            for process in _tree(replica["pid"])
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and not ipaddress.ip_address(connection.laddr.ip).is_loopback
        ]


def _tree(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]
