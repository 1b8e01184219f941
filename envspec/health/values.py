"""What values must be beyond their type: marks for `Annotated`, which pydantic reads and the agent ignores."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from envspec.record import Record
from envspec.units import Duration

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


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
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        good = False
    if good and url.isprintable() and " " not in url:
        return ""
    return f"{url!r} is not a URL such as http://127.0.0.1:8000/health"


def _no_method(method: str) -> str:
    # A method is a token: RFC 9110, sections 5.6.2 and 9.1.
    return "" if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", method) else f"{method!r} is not a method such as GET"


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
Status = Annotated[int, Checked(_no_status, (("minimum", 200), ("maximum", 599)))]
"""The status of an HTTP answer."""
Statuses = Annotated[list[Status], Checked(_empty, (("minItems", 1),))]
"""Several of which each will do."""
