"""How states look: a mark and a colour for each, the same in every picture."""

from __future__ import annotations

from envspec.report.text import Span

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAMES_PER_SECOND = 10

MARKS: dict[str, Span] = {
    "waiting": ("·", "dim"),
    "starting": ("◐", "cyan"),
    "fetching": ("◐", "cyan"),
    "retrying": ("▲", "yellow"),
    "healthy": ("●", "green"),
    "succeeded": ("✓", "green"),
    "unhealthy": ("▲", "yellow"),
    "degraded": ("▲", "yellow"),
    "paused": ("‖", "yellow"),
    "stopping": ("◐", "yellow"),
    "exited": ("○", "yellow"),
    "stopped": ("○", "dim"),
    "failed": ("✗", "bold red"),
    "killed": ("✗", "bold red"),
}

TURNING = ("starting", "stopping", "fetching")
"""States that are under way."""


def mark(state: str, now: float | None = None) -> Span:
    """Return the mark of a state; with `now`, in seconds, that of what is under way turns."""
    symbol, style = MARKS[state]
    if now is not None and state in TURNING:
        return SPINNER[int(now * FRAMES_PER_SECOND) % len(SPINNER)], style
    return symbol, style


def state(name: str) -> Span:
    """Return a state's name in its colour."""
    return name, MARKS[name][1]
