"""`grpc` against the real health service of grpcio."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from envspec.health import build
from envspec.health.base import Target


class Server:
    """A gRPC server with the health service, whose states a test can set."""

    def __init__(self, credentials: Any = None, *, port: int = 0, with_health: bool = True) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        self.health = health.HealthServicer()
        if with_health:
            health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        if credentials is None:
            port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        else:
            port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.target = Target("grpc", "127.0.0.1", port)
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def secure(certificates: Any) -> Iterator[Server]:
    from pathlib import Path

    pair = Path(certificates.key).read_bytes(), Path(certificates.cert).read_bytes()
    running = Server(grpc.ssl_server_credentials([pair]))
    yield running
    running.stop()


def test_serving_passes_and_anything_else_does_not(server: Server, context: Any) -> None:
    validator = build("grpc", {})
    assert validator.probe(context(server.target)).passed
    server.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    answer = validator.probe(context(server.target))
    assert not answer.passed
    assert answer.text.endswith(": NOT_SERVING")


def test_a_named_service_is_asked_for_by_name(server: Server, context: Any) -> None:
    name = "x" * 300  # longer than one byte can count
    server.health.set(name, health_pb2.HealthCheckResponse.SERVING)
    assert build("grpc", {"service": name}).probe(context(server.target)).passed
    answer = build("grpc", {"service": "other"}).probe(context(server.target))
    assert "NOT_FOUND: the server's health service does not know 'other'" in answer.text


def test_a_server_without_the_health_service_is_told_apart(context: Any) -> None:
    running = Server(with_health=False)
    try:
        answer = build("grpc", {}).probe(context(running.target))
    finally:
        running.stop()
    assert "the server has no grpc.health.v1.Health service" in answer.text


def test_a_server_that_comes_up_is_seen_while_somebody_elses_channel_still_backs_off(context: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        target = Target("grpc", "127.0.0.1", unused.getsockname()[1])
    with grpc.insecure_channel(target.address) as other:
        with pytest.raises(grpc.RpcError):
            health_pb2_grpc.HealthStub(other).Check(health_pb2.HealthCheckRequest())
        assert "UNAVAILABLE" in build("grpc", {}).probe(context(target, timeout=20.0)).text
        running = Server(port=target.port)
        try:
            answer = build("grpc", {}).probe(context(target))
        finally:
            running.stop()
    assert answer.passed, answer.text


def test_tls_with_the_authority_and_without_trust(secure: Server, context: Any, certificates: Any) -> None:
    assert build("grpc", {"tls": {"ca": certificates.ca}}).probe(context(secure.target)).passed
    assert not build("grpc", {"tls": {}}).probe(context(secure.target, timeout=2.0)).passed
    assert build("grpc", {"tls": {"insecure": True}}).probe(context(secure.target)).passed


def test_without_grpcio_the_answer_names_the_extra(
    context: Any, refusing: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    answer = build("grpc", {}).probe(context(refusing))
    assert "grpcio" in answer.text
    assert answer.remedy == "pip install 'envspec[grpc]'"
