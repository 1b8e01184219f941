"""Requests to the hub that survive what passes: overload, rate limits, cut connections, stalled bodies.

huggingface_hub retries some requests by itself, of others only some answers, and tells nobody. Here every request is
tried again by one rule (`attempts`), and a file whose body breaks off goes on at the byte where it broke, unseen by
huggingface_hub. What is given up is a GaveUpError, which huggingface_hub knows nothing of and so passes on at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import httpx2

from envspec.models.hub.attempts import Attempts, GaveUpError, demanded_wait

RETRIED = frozenset({408, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})  # 52x: the CDN found its origin down
STALL = 10.0  # seconds without a byte, where huggingface_hub sets no bound

Accept = Callable[[httpx2.Request], Attempts]


class RetryTransport(httpx2.BaseTransport):
    """Sends requests by a plain client, which knows proxies and certificates of the environment; `accept` names tries.

    `accept` may take headers off the request that are meant for it alone.
    """

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=16)  # bounded by who asks
        self._client = httpx2.Client(limits=limits, timeout=STALL)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer to a request, when there is one that counts.

        Raises:
            GaveUpError: there was none.
        """
        request = _copy(request, {})  # redirects are made of the original, which keeps all its headers
        attempts = self._accept(request)
        while True:
            response = self._open(request, attempts)
            if request.method == "GET" and "/api/models/" not in request.url.path and response.is_success:
                return _answer(response, _Body(request, response, attempts, self._open))
            try:
                return _answer(response, httpx2.ByteStream(b"".join(response.iter_raw())))
            except httpx2.TransportError as error:
                attempts.wait(_reason(error))
            finally:
                response.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _open(self, request: httpx2.Request, attempts: Attempts) -> httpx2.Response:
        while True:
            try:
                response = self._client.send(request, stream=True, follow_redirects=False)
            except httpx2.UnsupportedProtocol as error:
                raise GaveUpError(str(error)) from error
            except httpx2.TransportError as error:
                attempts.wait(_reason(error))
                continue
            if response.status_code not in RETRIED:
                return response
            response.close()
            attempts.wait(f"HTTP {response.status_code} {response.reason_phrase}", demanded_wait(response.headers))


class _Body(httpx2.SyncByteStream):
    """The body of a file, which is asked for again from where it broke off."""

    def __init__(
        self,
        request: httpx2.Request,
        response: httpx2.Response,
        attempts: Attempts,
        reopen: Callable[[httpx2.Request, Attempts], httpx2.Response],
    ) -> None:
        self._request, self._response, self._attempts, self._reopen = request, response, attempts, reopen
        self._at, self._etag = _first_byte(response), response.headers.get("etag", "")
        # A compressed body is made anew each time: the same offset need not be the same byte.
        self._resumable = bool(self._etag) and "content-encoding" not in response.headers

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                for chunk in self._response.iter_raw():
                    self._at += len(chunk)
                    self._attempts.arrived(len(chunk))
                    yield chunk
            except httpx2.TransportError as error:
                self._response.close()
                if not self._resumable:
                    raise
                self._attempts.wait(f"{_reason(error)} at byte {self._at:,}")
                self._resume(error)
            else:
                return

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()

    def _resume(self, error: httpx2.TransportError) -> None:
        """Ask for the rest. Another file, or a server that cannot, ends it: huggingface_hub begins the file again."""
        rest = {"Range": f"bytes={self._at}-", "If-Range": self._etag, "Accept-Encoding": "identity"}
        self._response = self._reopen(_copy(self._request, rest), self._attempts)
        if self._response.status_code != 206 or _first_byte(self._response) != self._at:
            self._response.close()
            raise error


def _copy(request: httpx2.Request, headers: Mapping[str, str]) -> httpx2.Request:
    merged = httpx2.Headers(request.headers)
    merged.update(headers)
    timeout = {kind: seconds or STALL for kind, seconds in request.extensions.get("timeout", {}).items()}
    extensions = {**request.extensions, "timeout": timeout}
    return httpx2.Request(request.method, request.url, headers=merged, stream=request.stream, extensions=extensions)


def _answer(response: httpx2.Response, body: httpx2.SyncByteStream) -> httpx2.Response:
    return httpx2.Response(
        response.status_code, headers=response.headers, stream=body, extensions=dict(response.extensions)
    )


def _first_byte(response: httpx2.Response) -> int:
    """Return where a body begins within the file: `Content-Range: bytes 100-199/200`."""
    text = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdecimal() else 0


def _reason(error: httpx2.TransportError) -> str:
    if isinstance(error, httpx2.ReadTimeout):
        return "no byte came for long"
    if isinstance(error, httpx2.RemoteProtocolError | httpx2.ReadError):
        return "the connection was cut"
    return str(error) or type(error).__name__
