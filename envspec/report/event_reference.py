"""The reference page of events, docs/events.md, written from their docstrings."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_type_hints

from envspec.plan.events import EVENTS, Event, event_fields

PAGE = Path(__file__).parents[2] / "docs" / "events.md"

HEAD = """\
# Events

<!-- Made from the docstrings of envspec/plan/events.py by `python -m envspec.report.event_reference`; do not edit. -->

A run says what happens in events and in nothing else: the live table, `ps`, the timeline and every report are drawn
from them. `events.jsonl` in the session's directory holds one JSON object a line, in the order in which they happened:

```json
{"event": "replica-healthy", "at": 0.812, "time": 1790000000.1, "replica": "etcd", "seconds": 0.31}
```

Every event has `event` (its name), `at` (seconds since the session began, monotonic) and `time` (seconds since the
epoch). Readers must ignore events and fields that they do not know.

| event | says | fields |
|---|---|---|
"""


def event_reference() -> str:
    """Return the page."""
    return HEAD + "".join(f"| `{name}` | {_says(kind)} | {_fields(kind)} |\n" for name, kind in EVENTS.items())


def _says(kind: type[Event]) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def _fields(kind: type[Event]) -> str:
    hints = get_type_hints(kind)
    return ", ".join(f"`{name}` ({_TYPES[str(hints[name])]})" for name in event_fields(kind))


_TYPES = {
    "<class 'str'>": "text",
    "<class 'int'>": "number",
    "<class 'float'>": "number",
    "<class 'bool'>": "true or false",
    "int | None": "number or null",
    "float | None": "number or null",
    "str | None": "text or null",
    "tuple[str, ...]": "list of text",
    "collections.abc.Mapping[str, object]": "object",
    "collections.abc.Mapping[str, collections.abc.Mapping[str, tuple[int, ...]]]": "object of objects of lists",
}


if __name__ == "__main__":
    PAGE.write_text(event_reference(), "utf-8")
