"""Ports as the file writes them: `auto`, a number, a range, or a mapping; and the top key `ports`."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, PlainValidator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from envspec.spec.base import HintedError, Name, Spec

DEFAULT_RANGE = (
    "20000-24999"  # below Linux's ephemeral range (32768 and up), as portpicker's pool is, and below i16's end
)
KNOWN_SCHEMES = ("http", "https", "grpc", "nats", "redis", "postgresql")
SHAPES = "auto, a number from 1 to 65535, a range such as 20000-20999, or a mapping of range, count, max, …"
_RANGE = re.compile(r"([0-9]{1,5})\s*-\s*([0-9]{1,5})")


def parse_range(text: str) -> tuple[int, int]:
    """Read `"20000-24999"`, both ends included.

    Raises:
        ValueError: it is not written so, ends before it begins, or leaves 1-65535.
    """
    found = _RANGE.fullmatch(text.strip())
    if not found:
        message = f"{text!r} is not a range of ports (written like 20000-24999)"
        raise ValueError(message)
    low, high = int(found[1]), int(found[2])
    if not 1 <= low <= high <= 65535:
        message = f"the range {text} must go upwards, within 1-65535"
        raise ValueError(message)
    return low, high


def _range_or_name(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        message = "a range is two numbers (20000-24999), one number, or a name of the top key ports: ranges:"
        raise ValueError(message)  # noqa: TRY004  pydantic turns only ValueError into a finding
    is_text = isinstance(value, str) and value.isdecimal()
    if (is_text or isinstance(value, int)) and not 1 <= int(value) <= 65535:
        message = f"{value} is not a port: ports are 1 to 65535"
        raise ValueError(message)
    if is_text:
        message = f"{value!r} is text, and one port is a number"
        raise HintedError(message, f"write {value} without quotes")
    if isinstance(value, str) and not re.fullmatch(r"[a-z_][a-z0-9_]*", value):
        parse_range(value)
    return value


def _range(value: object) -> str:
    if not isinstance(value, str):
        message = "a range is text such as 20000-24999"
        raise ValueError(message)  # noqa: TRY004  pydantic turns only ValueError into a finding
    parse_range(value)
    return value


def _host(value: object) -> str:
    with suppress(ValueError):
        if isinstance(value, str):
            return value if value == "localhost" else str(ip_address(value))
    message = f"{value!r} is not an address to listen on: it is an IP address such as 127.0.0.1, or localhost"
    raise ValueError(message)


PortRange = Annotated[str, PlainValidator(_range, json_schema_input_type=str)]
"""Two port numbers, both included: `20000-24999`."""


class PortSpec(Spec):
    """One named port of a service: `auto`, a number, `"20000-20999"`, or a mapping of these keys."""

    range: Annotated[int | str, PlainValidator(_range_or_name, json_schema_input_type=int | str)] | None = None
    """Where the number comes from: `20000-24999`, one number, or a name of the top key `ports: {ranges: …}`.
    Default: the top key `ports: {range: …}`."""
    count: int | None = Field(default=None, ge=1)
    """So many numbers in a row, for base + rank. In templates the port is then a list, also with 1."""
    max: int | None = Field(default=None, ge=1, le=65535)
    """The highest number allowed, for programs that read the port as a 16-bit signed integer (32767)."""
    hold: Literal["keep", "release"] = "keep"
    """`keep` holds the number for the session's life; `release` lets go just before the service starts, for servers
    that set no SO_REUSEADDR."""
    proxy: bool = False
    """Put a relay before the service, so that tests can slow, cut or silence what passes: the service itself gets
    another number as `ports.NAME`, everybody else (`services`, `ps`, tests) that of the relay. Not with `count`."""
    scheme: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9+.-]*$")
    """The scheme of the endpoint. Default: the port's own name where that is a known scheme
    (http https grpc nats redis postgresql), else tcp."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if data == "auto":
            return {}
        if isinstance(data, str | int) and not isinstance(data, bool):
            return {"range": _range_or_name(data)}
        if not isinstance(data, dict):
            message = f"a port is {SHAPES}"
            raise ValueError(message)  # noqa: TRY004  pydantic turns only ValueError into a finding
        return data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        mapping = handler.resolve_ref_schema(handler(schema))
        described = mapping.pop("description", "")
        short: list[dict[str, Any]] = [
            # What editors say of a value that is nothing of all this, yaml-language-server at least.
            {"const": "auto", "errorMessage": f"A port is {SHAPES}."},
            {"type": "integer", "minimum": 1, "maximum": 65535},
            {"type": "string", "pattern": r"^[0-9]{1,5}\s*-\s*[0-9]{1,5}$"},
        ]
        return {"description": described, "anyOf": [*short, mapping]}


class PortsSpec(Spec):
    """Where the environment's ports come from, in one place."""

    host: Annotated[str, PlainValidator(_host, json_schema_input_type=str)] = "127.0.0.1"
    """The address that services listen on; templates see it as `replica.host`."""
    range: PortRange = DEFAULT_RANGE
    """What `auto` is leased from."""
    ranges: dict[Name, PortRange] = Field(default={})
    """Named ranges, for ports that need one of their own: `{system: 20000-32767}`."""
