"""A service behind a relay, and connections to it that see what happens on the way."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from envspec.session.live import Environment

SERVER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        print("asked for", self.path, flush=True)
        size = int(self.path.rpartition("/")[2] or 2)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 100

Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""

SERVICES = f"""
services:
  web:
    command: [python3, server.py, "{{{{ replica.host }}}}", "{{{{ ports.http }}}}"]
    files:
      server.py: |
{SERVER.replace(chr(10), chr(10) + "        ")}
    ports: {{http: {{proxy: true}}}}
    health: [{{http: {{port: http, path: /health/1}}}}]
    liveness: {{every: 50ms, failures: 2}}
  twins:
    command: [python3, -m, http.server, "{{{{ ports.http }}}}", --bind, "{{{{ replica.host }}}}"]
    replicas: 2
    ports: {{http: {{proxy: true}}}}
    health: [{{tcp: {{port: http}}}}]
  bare:
    command: [python3, -m, http.server, "{{{{ ports.http }}}}", --bind, "{{{{ replica.host }}}}"]
    ports: {{http: auto}}
    health: [{{tcp: {{port: http}}}}]
"""
PATIENCE = 20.0
SHORT = 0.3
"""Seconds in which nothing comes where nothing may; with what may come, nobody waits so long."""


def connected(environment: Environment, service: str = "web") -> socket.socket:
    host, _, port = environment[service].address("http").rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def ask(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET /{path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())


def piece(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the connection was ended"
    return data


def answer(connection: socket.socket) -> int:
    """Return how many bytes of body came."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += piece(connection)
    head, _, body = head.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    came = len(body)
    while came < size:
        came += len(piece(connection))
    return came


def soon(connection: socket.socket, most: int) -> int:
    """Return how many bytes come within SHORT, or that there were as many as `most`."""
    end, came = time.monotonic() + SHORT, 0
    while came < most and (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        with suppress(TimeoutError):
            came += len(connection.recv(65536))
    connection.settimeout(PATIENCE)
    return came


def received(connection: socket.socket) -> int:
    """Return how many bytes came before the connection was cut by RST."""
    count = 0
    try:
        while data := connection.recv(65536):
            count += len(data)
    except ConnectionResetError:
        return count
    raise AssertionError("it ended in good order")


def is_cut(environment: Environment, service: str = "web") -> bool:
    """Say whether a new connection is cut; that may be seen in connecting already."""
    try:
        with connected(environment, service) as one:
            return received(one) == 0
    except ConnectionResetError:
        return True


@contextmanager
def silent(connection: socket.socket) -> Iterator[None]:
    """Say that nothing comes during the body and a little longer."""
    yield
    connection.settimeout(SHORT)
    with pytest.raises(TimeoutError):
        connection.recv(1)
    connection.settimeout(PATIENCE)
