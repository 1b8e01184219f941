"""What values must be beyond their type: marks for `Annotated`, which pydantic reads and the agent ignores."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

from envspec.record import Record
from envspec.units import Duration

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
"""What HTTP calls a token: RFC 9110, section 5.6.2."""


class Checked(Record):
    """Marks a type whose values `refuse` looks at: it returns what is wrong with one, or nothing.

    `schema` says the same to editors, as far as a JSON Schema can.
    """

    refuse: Callable[[Any], str]
    schema: tuple[tuple[str, Any], ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), **dict(self.schema)}

    def _checked(self, value: Any) -> Any:
        problem = self.refuse(value)
        if problem:
            raise ValueError(problem)
        return value


def _no_time(seconds: float) -> str:
    return "" if seconds > 0 else "this must be longer than 0s"


def _no_web_address(url: str) -> str:
    path = ""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        path = f"{parts.path}{parts.query}"
    except ValueError:  # a port that is no number, a bracket that is not closed
        good = False
    if good and url.isprintable() and " " not in url:
        return _no_path(path)
    return f"{url!r} is not a URL such as http://127.0.0.1:8000/health"


def _no_method(method: str) -> str:
    # A method is a token: RFC 9110, section 9.1.
    return "" if re.fullmatch(_WORD, method) else f"{method!r} is not a method such as GET"


def _no_path(path: str) -> str:
    # What a request line can hold: RFC 9112, section 3.2; http.client refuses the rest when it is asked.
    found = re.search(r"[^!-~]", path)
    if found is None:
        return ""
    return f"a path has no {_named(found[0])}: write {quote(found[0], errors='replace')}, or leave it out"


def _no_header(name: str) -> str:
    # RFC 9110, section 5.1
    good = re.fullmatch(_WORD, name)
    return "" if good else f"{name!r} is not the name of a header, which has letters, digits and hyphens: X-Request-Id"


def _no_header_value(value: str) -> str:
    # RFC 9110, section 5.5. The value itself is not repeated, since it may be secret.
    found = re.search("[^\t -~\xa0-\xff]", value)
    if found is None:
        return ""
    if found[0] in "\r\n":
        return "the value of a header is one line, and this one has a line break"
    return f"the value of a header has no {_named(found[0])}: percent-encode it, or leave it out"


def _named(character: str) -> str:
    if character == " ":
        return "space"
    return f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"


def _no_status(status: int) -> str:
    # RFC 9110, section 15; of 1xx no answer is ever the last.
    return "" if 200 <= status <= 599 else f"{status} is no status that ends a request: these are 200 to 599"


def _empty(items: list[Any]) -> str:
    return "" if items else "an empty list lets nothing pass"


PositiveDuration = Annotated[Duration, Checked(_no_time)]
"""A duration in which something can happen."""
WebAddress = Annotated[str, Checked(_no_web_address)]
"""A URL that begins with http:// or https://."""
Method = Annotated[str, Checked(_no_method)]
"""An HTTP method."""
RequestPath = Annotated[str, Checked(_no_path)]
"""Path and query of a URL."""
HeaderName = Annotated[str, Checked(_no_header)]
"""The name of an HTTP header."""
HeaderValue = Annotated[str, Checked(_no_header_value)]
"""The value of an HTTP header."""
Status = Annotated[int, Checked(_no_status, (("minimum", 200), ("maximum", 599)))]
"""The status of an HTTP answer."""
Statuses = Annotated[list[Status], Checked(_empty, (("minItems", 1),))]
"""Several of which each will do."""
