"""docs/events.md says what the docstrings say, and says it of every event."""

from __future__ import annotations

from envspec.plan.events import EVENTS, event_fields
from envspec.report.event_reference import PAGE, event_reference


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == event_reference(), "run the command at the top of docs/events.md"


def test_every_event_is_there_with_every_field_and_a_meaning() -> None:
    rows = {row.split("`")[1]: row for row in event_reference().splitlines() if row.startswith("| `")}

    assert set(rows) == set(EVENTS)
    for name, kind in EVENTS.items():
        says = rows[name].split(" | ")[1]
        assert len(says) > 10
        assert all(f"`{field}` (" in rows[name] for field in event_fields(kind))
