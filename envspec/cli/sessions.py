"""Which sessions a command is about, and what can be known of them from outside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from envspec.errors import BackendError, EnvspecError, UsageError
from envspec.plan.codec import from_json
from envspec.plan.events import Event, event_from_json
from envspec.plan.plan import Plan
from envspec.session import registry
from envspec.session.control import Control
from envspec.session.registry import Entry
from envspec.session.state import EVENTS, PLAN
from envspec.session.status import SessionStatus, apply, planned

if TYPE_CHECKING:
    from pathlib import Path

BRIEFLY = 1.0
"""Seconds that a session has to say how it is, where its own files can say it as well."""


def the_session(text: str | None) -> Entry:
    """Return the running session of that id or environment, or the only one that runs.

    Raises:
        UsageError: none is meant, or several could be.
    """
    found = registry.find(text) if text else registry.sessions()
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{len(found)} sessions could be meant: {_names(found)}"
        raise UsageError(message, hint="say which: --session ID")
    raise _none(text)


def chosen(text: str | None, *, everything: bool) -> list[Entry]:
    """Return the sessions to stop: all, all that `text` names, or the only one that runs.

    Raises:
        UsageError: nothing of that name runs, or it was not said which.
    """
    if everything:
        return registry.sessions()
    if text is None:
        return [_the_only_one(registry.sessions())]
    found = registry.find(text)
    if not found:
        raise _none(text)
    return found


def _the_only_one(running: list[Entry]) -> Entry:
    if len(running) > 1:
        message = f"{len(running)} sessions run: {_names(running)}"
        raise UsageError(message, hint="say which: envspec down ID, or envspec down --all")
    if not running:
        raise _none(None)
    return running[0]


def recorded(text: str | None) -> Entry:
    """Return the session of that id, else the last one of that environment, else the last one of all.

    One that runs counts as later than any that has ended.

    Raises:
        UsageError: nothing is known of such a session.
    """
    latest_first = [*reversed(registry.sessions()), *registry.ended()]
    by_id = [entry for entry in latest_first if entry.id == text]
    by_name = [entry for entry in latest_first if text in (None, entry.environment)]
    for entry in (*by_id, *by_name):
        return entry
    raise _none(text, "has run lately")


def _none(text: str | None, what: str = "runs") -> UsageError:
    others = registry.sessions()
    hint = f"there are: {_names(others)}" if others and text else "envspec up starts one"
    return UsageError(f"no session {text} {what}" if text else f"no session {what}", hint=hint)


def _names(entries: Iterable[Entry]) -> str:
    return ", ".join(entry.id for entry in entries)


def status_of(entry: Entry) -> SessionStatus:
    """Return what a session looks like: as it says itself, or as its events say where it does not answer.

    `message` says so, where its process lives and is silent.
    """
    if entry.ended is None:
        try:
            return Control(entry.directory).status(BRIEFLY)
        except BackendError as silent:
            return replace(status_from_record(entry), message=str(silent))
        except (EnvspecError, OSError):
            pass  # it has only begun, or is about to be over
    return status_from_record(entry)


def status_from_record(entry: Entry) -> SessionStatus:
    """Return what a session's own files say of it."""
    status = SessionStatus(entry.id, entry.environment, dir=str(entry.directory), pid=entry.pid, file=entry.file)
    plan = plan_of(entry.directory)
    status = status if plan is None else planned(status, plan)
    for event in events_of(entry):
        status = apply(status, event)
    return status


def plan_of(directory: Path) -> Plan | None:
    """Return a session's plan, without its secrets; None where it has not come so far."""
    try:
        return from_json(Plan, json.loads((directory / PLAN).read_text("utf-8")))
    except (OSError, ValueError):
        return None


def events_of(entry: Entry) -> Iterator[Event]:
    """Yield a session's events from its file; a last line that is still being written is left out."""
    try:
        lines = (entry.directory / EVENTS).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            event = event_from_json(json.loads(line))
        except ValueError:
            continue
        if event is not None:
            yield event
