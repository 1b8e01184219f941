"""`grpc`: the standard health protocol (grpc.health.v1) says SERVING."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from envspec.health.base import FIVE_SECONDS, PLACES, Answer, Context, Target, Validator, ask_each
from envspec.health.tls import Tls, client_context, read_pem
from envspec.health.values import PositiveDuration

if TYPE_CHECKING:
    import grpc

METHOD = "/grpc.health.v1.Health/Check"
STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
"""HealthCheckResponse.ServingStatus by number, of grpc/health/v1/health.proto."""


class Grpc(Validator):
    """The server's health service says SERVING. Needs `pip install 'envspec[grpc]'`."""

    choose_one: ClassVar = PLACES
    needs: ClassVar = ("grpc", "grpc")

    port: str | None = None
    """A port of the service itself, by name."""
    endpoint: str | None = None
    """A port of any service: `worker.grpc` is every replica's, `worker.1.grpc` that one's."""
    service: str = ""
    """The gRPC service asked about; empty for the server as a whole."""
    tls: Tls | None = None
    """Speak TLS."""
    timeout: PositiveDuration = FIVE_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Ask each target's health service."""
        try:
            import grpc  # noqa: F401  is it here at all
        except ImportError:
            text = "the grpc validator needs grpcio, which is not installed"
            return Answer(passed=False, text=text, remedy="pip install 'envspec[grpc]'")
        return ask_each(context.targets, context.timeout, lambda target: self._ask(target, context.timeout))

    def _ask(self, target: Target, timeout: float) -> Answer:
        import grpc

        with _channel(target, self.tls, timeout) as channel:
            # The two messages are written by hand: generated classes tie the prober to one release of protobuf.
            check = channel.unary_unary(METHOD, request_serializer=_request, response_deserializer=_status)
            try:
                status = check(self.service, timeout=timeout)
            except grpc.RpcError as error:
                return Answer(passed=False, text=_refusal(error, self.service))
        return Answer(passed=status == "SERVING", text=status)


def _request(service: str) -> bytes:
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _status(message: bytes) -> str:
    # Field 1, a varint; proto3 leaves it out where it is 0.
    number = message[1] if len(message) >= 2 and message[0] == 0x08 else 0
    return STATUSES[number] if number < len(STATUSES) else f"status {number}"


def _refusal(error: Any, service: str) -> str:
    code = error.code().name
    if code == "UNIMPLEMENTED":
        return "UNIMPLEMENTED: the server has no grpc.health.v1.Health service"
    if code == "NOT_FOUND":
        return f"NOT_FOUND: the server's health service does not know {service!r}"
    return f"{code}: {error.details()}"


def _channel(target: Target, tls: Tls | None, timeout: float) -> grpc.Channel:
    import grpc

    options: list[tuple[str, Any]] = [("grpc.enable_http_proxy", 0)]
    if tls is None and target.scheme not in ("https", "grpcs"):
        return grpc.insecure_channel(target.address, options)
    tls = tls or Tls()
    roots = read_pem(tls.ca)
    if tls.insecure:
        roots, name = _shown_certificate(target, tls, timeout)
        options.append(("grpc.ssl_target_name_override", name))
    credentials = grpc.ssl_channel_credentials(roots, read_pem(tls.key or tls.cert), read_pem(tls.cert))
    return grpc.secure_channel(target.address, credentials, options)


def _shown_certificate(target: Target, tls: Tls, timeout: float) -> tuple[bytes, str]:
    """Return the certificate that the server shows, and a name in it: gRPC cannot be told to trust whatever comes."""
    import socket
    import ssl

    blind = client_context(tls)
    with socket.create_connection((target.host, target.port), timeout) as plain, blind.wrap_socket(plain) as secure:
        pem = ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")
    seeing = client_context(Tls(cert=tls.cert, key=tls.key))
    seeing.check_hostname = False
    seeing.load_verify_locations(cadata=pem)
    seeing.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with socket.create_connection((target.host, target.port), timeout) as plain, seeing.wrap_socket(plain) as secure:
        names: Any = (secure.getpeercert() or {}).get("subjectAltName", ())
    return pem.encode(), next((str(name[1]) for name in names), target.host)
