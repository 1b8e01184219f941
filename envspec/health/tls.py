"""The `tls` key: whom to trust, and as whom to speak."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from envspec.record import Record

if TYPE_CHECKING:
    import ssl


class Tls(Record):
    """Speak TLS, even where the endpoint's scheme does not say so. Paths are those of PEM files."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    ca: str | None = None
    """Certificates to trust, in place of the system's. Relative to the folder of the environment file, as `cert` and
    `key` are, whichever file wrote it."""
    cert: str | None = None
    """The client's certificate, for a server that asks for one (mutual TLS)."""
    key: str | None = None
    """The key of `cert`; not needed where `cert` holds both."""
    insecure: bool = False
    """Accept whatever certificate the server shows."""


def client_context(tls: Tls | None) -> ssl.SSLContext:
    """Return the context in which a client speaks; None trusts what the system trusts.

    Raises:
        OSError: a file is missing or is not PEM; the message names it.
    """
    import ssl

    tls = tls or Tls()
    context = ssl.create_default_context()
    if tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.ca:
        with _naming(tls, tls.ca):
            context.load_verify_locations(cafile=tls.ca)
    if tls.cert:
        with _naming(tls, tls.cert, tls.key):
            context.load_cert_chain(tls.cert, tls.key)
    return context


@contextmanager
def _naming(tls: Tls, *read: str | None) -> Iterator[None]:
    """Name the files that are missing in what OpenSSL says, or where none is, those that it read."""
    try:
        yield
    except OSError as error:
        missing = [path for path in (tls.ca, tls.cert, tls.key) if path and not Path(path).exists()]
        files = ", ".join(os.path.abspath(path) for path in missing or read if path)  # noqa: PTH100  Path keeps `..`
        message = f"tls: {error.strerror or error} (of {files})"
        raise OSError(message) from error


def read_pem(path: str | None) -> bytes | None:
    """Return the bytes of a PEM file, or None where no path is given."""
    return Path(path).read_bytes() if path else None
