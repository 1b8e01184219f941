"""`http`: a request is answered as it should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from envspec.health.base import FIVE_SECONDS, PLACES_OR_URL, Answer, Context, Target, Validator, ask_each
from envspec.health.subset import difference
from envspec.health.tls import Tls
from envspec.health.values import (
    HeaderName,
    HeaderValue,
    Method,
    PositiveDuration,
    RequestPath,
    Status,
    Statuses,
    WebAddress,
)
from envspec.health.web import Connection, Response

MATCH_LIMIT = 0.5
"""Seconds of the processor that a pattern may take on one body; of the largest, 16 MiB, most take a tenth."""


class Http(Validator):
    """An HTTP request is answered with the right status and, where asked for, the right body.

    Redirections are not followed: a 302 is an answer like any other. Proxies of the environment are not used.
    """

    choose_one: ClassVar = PLACES_OR_URL

    port: str | None = None
    """A port of the service itself, by name."""
    endpoint: str | None = None
    """A port of any service: `worker.http` is every replica's, `worker.1.http` that one's."""
    url: WebAddress | None = None
    """Any URL, instead of a port."""
    method: Method = "GET"
    """The request's method."""
    path: RequestPath = ""
    """Path and query, added to the endpoint or `url`; `/` where there is none."""
    headers: Mapping[HeaderName, HeaderValue] | None = None
    """The request's headers."""
    body: str | dict[str, Any] | list[Any] | None = None
    """The request's body; a mapping or a list is sent as JSON, with its content type."""
    status: Status | Statuses = 200
    """The status that is expected, or a list of those that will do."""
    json: Any = None
    """What the body, read as JSON, must hold: a mapping's keys, and for each element of a list a different one."""
    text: str | None = None
    """A regular expression that must be found in the body. One that takes longer than half a second is given up."""
    tls: Tls | None = None
    """Speak TLS, also where the scheme is not https."""
    timeout: PositiveDuration = FIVE_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Send the request to each target, and compare the answers."""
        targets = (Target.from_url(self.url),) if self.url else context.targets
        return ask_each(targets, context.timeout, lambda target: self._ask(target, context))

    def _ask(self, target: Target, context: Context) -> Answer:
        with Connection(target, self.tls, context.timeout) as connection:
            response = connection.ask(self.method, self.path, self.headers, self.body)
        problem = self._problem(response, context)
        return Answer(passed=not problem, text=problem or str(response))

    def _problem(self, response: Response, context: Context) -> str:
        expected = self.status if isinstance(self.status, list | tuple) else [self.status]
        if response.status not in expected:
            return str(response)
        if self.text is not None:
            search = partial(re.compile(self.text).search, response.body.decode("utf-8", "replace"))
            if not context.bounded(self.text, MATCH_LIMIT, search):
                return f"text: nothing matches {self.text!r} in {response}"
        return self._json_problem(response) if self.json is not None else ""

    def _json_problem(self, response: Response) -> str:
        try:
            actual = response.json()
        except ValueError:
            return f"json: the body is not JSON: {response}"
        found = difference(self.json, actual)
        return f"json: {found} ({response})" if found else ""
