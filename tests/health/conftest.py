"""Servers for validators to ask: HTTP ones that answer as told, with and without TLS, and certificates for them."""

from __future__ import annotations

import datetime
import http.server
import ipaddress
import json
import os
import signal
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from envspec.health.base import Context, Target

Handler: TypeAlias = http.server.BaseHTTPRequestHandler
Route: TypeAlias = tuple[int, Any] | Callable[[Handler], None]
Serve: TypeAlias = Callable[..., Target]


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, a server's certificate for 127.0.0.1 by it, and a client's."""

    ca: str
    cert: str
    key: str


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("envspec test authority", ca_key, ca_key, "envspec test authority", is_ca=True)
    server = _certificate("localhost", key, ca_key, "envspec test authority", is_ca=False)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "cert.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificates(*(str(folder / f"{name}.pem") for name in ("ca", "cert", "key")))


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, issuer: str, *, is_ca: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )


@pytest.fixture
def serve(certificates: Certificates) -> Iterator[Serve]:
    """Return a function that serves routes, `{"/path": (status, body) or handler}`, and gives the target."""
    with ExitStack() as servers:

        def start(routes: Mapping[str, Route], *, tls: bool = False, client_cert: bool = False) -> Target:
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(routes))
            server.daemon_threads = True
            if tls:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(certificates.cert, certificates.key)
                if client_cert:
                    context.verify_mode = ssl.CERT_REQUIRED
                    context.load_verify_locations(certificates.ca)
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            servers.callback(thread.join)
            servers.callback(server.server_close)
            servers.callback(server.shutdown)
            return Target("https" if tls else "http", "127.0.0.1", server.server_address[1])

        yield start


def _handler(routes: Mapping[str, Route]) -> type[Handler]:
    class Routed(Handler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # the client gave up, or refused our certificate

        def answer(self) -> None:
            route = routes.get(self.path, (404, "no such page"))
            if callable(route):
                route(self)
                return
            status, content = route
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PUT"):
        setattr(Routed, f"do_{method}", Routed.answer)
    return Routed


@pytest.fixture
def context() -> Callable[..., Context]:
    """Return a function that makes a context around one target."""
    return lambda *targets, timeout=5.0, **rest: Context(targets=targets, timeout=timeout, **rest)


@pytest.fixture
def refusing() -> Target:
    """A target where nobody listens: port 1 of loopback, which needs root to be listened on."""
    return Target("http", "127.0.0.1", 1)


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[[Sequence[str]], subprocess.Popen[bytes]]]:
    """Return a function that starts a real server; all are ended after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
        with (tmp_path / f"server-{len(started)}.log").open("wb") as log:
            started.append(subprocess.Popen(argv, stdout=log, stderr=log, cwd=tmp_path, env=dict(os.environ)))
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.wait()
