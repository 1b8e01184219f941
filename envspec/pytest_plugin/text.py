"""What the plugin writes into pytest's output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envspec.errors import EnvspecError, RequirementError, SpecError
from envspec.session.harmless import harmless
from envspec.units import format_seconds

if TYPE_CHECKING:
    from envspec.session.status import SessionStatus


def one_line(error: EnvspecError) -> str:
    """Return the first line of an error: what the second test that needs the environment is told."""
    return _by_our_options(error, str(error).splitlines()[0])


def with_hint(error: EnvspecError) -> str:
    """Return the first line of an error, and its hint if it has one."""
    return f"{one_line(error)}\nhint: {error.hint}" if error.hint else one_line(error)


def _by_our_options(error: EnvspecError, text: str) -> str:
    """Call the option for vars as pytest has it: what reads a file knows the one of `envspec up`."""
    return text.replace("--set ", "--env-set ") if isinstance(error, SpecError) else text


def reason(error: RequirementError) -> str:
    """Return why a test is skipped, on one line: everything that is missing, and how to get it."""
    missing = "; ".join(map(harmless, error.missing)) or one_line(error)
    return f"{missing} ({error.hint})" if error.hint else missing


def whole_story(error: EnvspecError) -> str:
    """Return all that is known of an error: every finding with its place, or the report of the failed service."""
    if isinstance(error, SpecError):
        from envspec.spec.check_formats import as_text

        return _by_our_options(error, as_text(error.diagnostics, len({found.file for found in error.diagnostics})))
    story = f"{error}\nhint: {error.hint}" if error.hint else str(error)
    return "\n".join(map(harmless, story.splitlines()))


def ports_table(status: SessionStatus, attached: float | None = None) -> list[str]:
    """Return what pytest prints when an environment is up: how long it took, and every port by its name.

    Of one that was up before the run, `attached` is how long it took to get it.
    """
    how = f"is {status.state}"
    if attached is not None:
        how = f"was already up, attached in {format_seconds(attached)}"
    elif status.seconds is not None:
        how += f" in {format_seconds(status.seconds)}"
    rows = [
        (replica.name, "  ".join(f"{name} {number}" for name, number in replica.ports.items()))
        for replica in status.services.values()
        if replica.ports
    ]
    width = max((len(name) for name, _ in rows), default=0)
    return [
        f"envspec: {status.environment} {how} (session {status.id})",
        *(f"  {name:<{width}}  {ports}" for name, ports in rows),
    ]
