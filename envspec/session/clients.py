"""Clients that are bound to a live environment: OpenAI's own, and a requests session.

They are for tests, so nothing is tried again behind their back, nothing waits for ever, and nothing that is meant for
the internet comes in between: no proxy of the shell, no key of its owner.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from envspec.errors import RequirementError, UsageError
from envspec.plan.codec import from_json
from envspec.plan.plan import Check, Endpoint, Plan
from envspec.session.state import PLAN
from envspec.session.status import SessionStatus

if TYPE_CHECKING:
    import openai

CONNECTING = 5.0
"""Seconds to reach a port on which somebody listens."""
SILENCE = 60.0
"""Seconds without a byte after which an HTTP service hangs: no test should wait for it longer."""
THINKING = 300.0
"""The same for a model, whose whole answer may come at once, and on a CPU takes its time."""
API_KEY = "envspec"
"""Sent because the client insists on a key, and so that it does not send the one of the shell."""


class HttpSession(requests.Session):
    """A requests session whose URLs are relative to `base_url`, and whose requests end when the service hangs.

    `timeout=` of a request overrides that, and a whole URL leads where it says.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url.rstrip("/")
        self.trust_env = False

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Put the base URL before a relative one, whether that begins with a slash or not."""
        if not request.url.lower().startswith(("http://", "https://")):  # RFC 3986, section 3.1: in capitals as well
            request.url = f"{self.base_url}/{request.url.lstrip('/')}" if request.url else self.base_url
        return super().prepare_request(request)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request with a timeout, unless it comes with one."""
        __tracebackhide__ = True
        return super().request(method, url, *args, **{"timeout": (CONNECTING, SILENCE), **kwargs})


def http_session(name: str, url: str) -> HttpSession:
    """Return a session for the endpoint `name` at `url`.

    Raises:
        UsageError: it does not speak HTTP.
    """
    __tracebackhide__ = True
    if not _is_http(url):
        raise UsageError(f"{name} is {url}, which is not for HTTP", hint="give the port a scheme: http, if it is")
    return HttpSession(url)


def openai_client(status: SessionStatus, endpoint: str) -> openai.OpenAI:
    """Return OpenAI's client for an endpoint, `frontend.http`; for an empty one, the one that is meant.

    That is the one that a check `openai` of `ready` asks, else of a service's health, else the only one for HTTP.

    Raises:
        UsageError: there is no such endpoint, or which one is meant cannot be told; the hint lists all.
        RequirementError: the library is not installed.
    """
    __tracebackhide__ = True
    url = _chosen(status, endpoint) if endpoint else _meant(status)
    try:
        import openai
    except ModuleNotFoundError as error:
        message = f"environment.openai() needs the library openai: {error}"
        raise RequirementError(message, hint="pip install 'envspec[openai]'") from error

    class Connections(openai.DefaultHttpxClient):
        """Closed when nobody has them any more: copies of a client, as of `with_options`, share them with it."""

        made = False

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.made = True

        def __del__(self) -> None:
            if self.made:  # a test may be interrupted before, and has nothing then that could be closed
                self.close()

    timeout = openai.Timeout(THINKING, connect=CONNECTING)
    connections = Connections(trust_env=False, timeout=timeout)
    return openai.OpenAI(
        base_url=f"{url.rstrip('/').removesuffix('/v1')}/v1",
        api_key=API_KEY,
        timeout=timeout,
        max_retries=0,
        http_client=connections,
    )


def _chosen(status: SessionStatus, endpoint: str) -> str:
    __tracebackhide__ = True
    choices = _http_endpoints(status)
    if endpoint in choices:
        return choices[endpoint]
    raise UsageError(f"{status.environment} has no endpoint {endpoint!r} for HTTP", hint=_listed(choices))


def _meant(status: SessionStatus) -> str:
    """Return the URL of the endpoint that is for a client of OpenAI's."""
    __tracebackhide__ = True
    plan = from_json(Plan, json.loads((Path(status.dir) / PLAN).read_text("utf-8")))
    choices = _http_endpoints(status)
    healths = chain.from_iterable(_asked(replica.health, replica.seen) for replica in plan.replicas)
    asked = list(_asked(plan.ready)) or list(healths) or list(choices.values())
    if len(set(asked)) == 1:
        return asked[0]
    raise UsageError(
        f"{len(set(asked)) or 'none'} of the endpoints of {status.environment} may be for OpenAI's client",
        hint=f'name one, as in environment.openai("{next(iter(choices), "frontend.http")}"); {_listed(choices)}',
    )


def _asked(checks: Iterable[Check], seen: Callable[[Endpoint], Endpoint] = lambda end: end) -> Iterator[str]:
    """Yield the URLs that checks of the kind `openai` ask, `seen` by others."""
    for check in checks:
        if check.kind == "openai":
            yield from ([str(check.fields["url"])] if check.fields.get("url") else ())
            yield from (seen(end).url for end in check.endpoints)


def _http_endpoints(status: SessionStatus) -> dict[str, str]:
    """Return URLs by `<service>.<port>`, and for replicas by `<service>.<index>.<port>`."""
    return {
        f"{replica.name}.{port}": url
        for replica in status.services.values()
        for port, url in replica.endpoints.items()
        if isinstance(url, str) and _is_http(url)  # a block of ports is a list
    }


def _is_http(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _listed(choices: dict[str, str]) -> str:
    return f"there are: {', '.join(choices) or 'none'}"
