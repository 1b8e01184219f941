"""Durations and sizes: text with a unit in the file, numbers in the program.

Both are plain `float` and `int` at run time. Pydantic finds the grammar, the schema and the error messages through
`__get_pydantic_core_schema__`, which imports it only when asked, so that the agent can use these types without it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
SIZE_PATTERN = r"^[0-9]+(\.[0-9]+)?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


class Duration(float):
    """Seconds, written with a unit: `500ms`, `30s`, `5m`, `1h30m`."""

    @classmethod
    def parse(cls, text: object) -> Duration:
        """Read a duration as the file writes it.

        Raises:
            ValueError: it has no unit, or one that does not exist; the message says which to add.
        """
        if isinstance(text, Duration):
            return text
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            message = f"a duration is text with a unit, such as 30s, not {type(text).__name__}"
            raise ValueError(message)  # noqa: TRY004  pydantic turns only ValueError into a finding
        if re.fullmatch(DURATION_PATTERN, str(text)):
            return cls(sum(float(n) * SECONDS[unit] for n, unit in _DURATION_PART.findall(str(text))))
        raise ValueError(_unit_missing("duration", text, "s", "500ms 30s 5m 1h"))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": DURATION_PATTERN, "examples": ["500ms", "30s", "5m"]}


class ByteSize(int):
    """Bytes, written with a unit: `20GiB`, `512MB`."""

    LIKELY_UNIT: ClassVar = "GiB"
    EXAMPLES: ClassVar = ("20GiB", "512MB")

    @classmethod
    def parse(cls, text: object) -> ByteSize:
        """Read a size as the file writes it.

        Raises:
            ValueError: it has no unit, or one that does not exist; the message says which to add.
        """
        if isinstance(text, ByteSize):
            return text
        if isinstance(text, str) and re.fullmatch(SIZE_PATTERN, text):
            number = text.rstrip("BKMGTi")
            return cls(float(number) * BYTES[text[len(number) :]])
        raise ValueError(_unit_missing("size", text, cls.LIKELY_UNIT, " ".join(reversed(cls.EXAMPLES))))

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.parse)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": SIZE_PATTERN, "examples": list(cls.EXAMPLES)}


class Traffic(ByteSize):
    """Bytes that pass through a port, or do so in a second, of which there are fewer: `64KB`, `1MB`."""

    LIKELY_UNIT = "KB"
    EXAMPLES = ("1MB", "64KB")


def _unit_missing(what: str, text: object, unit: str, examples: str) -> str:
    if re.match(r"-[0-9]", str(text)):
        return f"a {what} is never negative, as {text} is (written like {examples})"
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", str(text)):
        return f"a {what} needs a unit: {text}{unit}? (written like {examples})"
    return f"{text!r} is not a {what} (written like {examples})"


def format_seconds(seconds: float) -> str:
    """Write a duration for people, with three digits that matter: `4 ms`, `0.31 s`, `2 min 5 s`."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def format_size(size: float) -> str:
    """Write bytes for people, in powers of 1000 and with three digits that matter: `812 B`, `1.23 GB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if size < 999.5:
            digits = 0 if unit == "B" or size >= 99.95 else 1 if size >= 9.995 else 2
            return f"{size:.{digits}f} {unit}"
        size /= 1000
    return f"{size:.2f} TB"
