"""The one client of this process for the hub: huggingface_hub's own, with `transport` under it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants, get_session, hf_raise_for_status, set_client_factory
from huggingface_hub.utils._headers import build_hf_headers

from envspec.models.hub.attempts import TRIES, Attempts, GaveUpError
from envspec.models.hub.options import Hub
from envspec.models.hub.settings import token_in
from envspec.models.hub.transport import RetryTransport
from envspec.models.source import Host, Tell

Token = str | bool | None
"""What huggingface_hub takes for one: None is the one of `hf auth login`, False is none."""

_CALLER = "x-envspec-caller"
"""Says for whom a request is, as huggingface_hub makes its requests in threads of its own. It is never sent."""

_TELEMETRY = "/api/agent-harnesses"
"""What huggingface_hub asks first of all in a process, for its statistics; it goes on where that fails."""

_CHUNK = 2**20  # bytes after which huggingface_hub says how far it is; its own 10 MiB are ten seconds of a slow line
_callers: dict[str, tuple[str, Tell, int, threading.Event]] = {}
_numbers = itertools.count(1)
_lock = threading.Lock()
_installed = False


def token_of(options: Hub, host: Host) -> Token:
    """Return the token that `token_env` holds; None lets huggingface_hub look for the one of `hf auth login`."""
    return token_in(options, host) or (None if options.token_env == "HF_TOKEN" else False)  # noqa: S105


@contextmanager
def telling(
    what: str, tell: Tell, tries: int = TRIES, given_up: threading.Event | None = None
) -> Iterator[dict[str, str]]:
    """Give headers for huggingface_hub: of requests that carry them, every retry is told to `tell`, for `what`.

    `given_up` ends the wait for the next try.
    """
    _install()
    caller = str(next(_numbers))
    _callers[caller] = what, tell, tries, given_up or threading.Event()
    try:
        yield {_CALLER: caller}
    finally:
        del _callers[caller]


def get(url: str, token: Token, headers: Mapping[str, str]) -> httpx2.Response:
    """Ask the hub something.

    Raises:
        GaveUpError: it gives no answer that counts.
        HfHubHTTPError: it refuses; the subclass says why.
    """
    response = get_session().get(url, headers=build_hf_headers(token=token, headers=dict(headers)))
    hf_raise_for_status(response)
    return response


def _install() -> None:
    """Give huggingface_hub our client, once: setting it closes the one that other threads use."""
    global _installed  # noqa: PLW0603
    with _lock:
        if not _installed:
            constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
            set_client_factory(_client)
            _installed = True


def _client() -> httpx2.Client:
    return httpx2.Client(transport=RetryTransport(_accept), follow_redirects=True, timeout=None)


def _accept(request: httpx2.Request) -> Attempts:
    if request.url.path == _TELEMETRY:
        raise GaveUpError("telemetry is not asked for")
    caller = _callers.get(request.headers.pop(_CALLER, ""))
    return Attempts(*caller) if caller else Attempts(request.url.path, lambda _: None, most=1)
