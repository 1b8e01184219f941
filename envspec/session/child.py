"""One descendant of a replica, found by a part of what it is called."""

from __future__ import annotations

from collections.abc import Sequence

from envspec.errors import UsageError
from envspec.record import Record

LISTED = 8
"""Descendants that an error names; a forking server has hundreds."""
SHOWN = 100
"""Characters of a command line that are shown of each."""


class Child(Record):
    """A process that came of a replica's own. `name` is the kernel's, `command` the line or title that it shows."""

    pid: int
    name: str
    command: str

    def __str__(self) -> str:
        return f"{self.pid} {self.command[:SHOWN] or self.name}"

    def is_called(self, text: str) -> bool:
        """Return whether its name or its command line contains `text`."""
        return text in self.name or text in self.command


def the_child(replica: str, text: str, children: Sequence[Child]) -> Child:
    """Return the one descendant whose name or command line contains `text`.

    Raises:
        UsageError: there is none, or more than one; the hint lists those that there are, or those that match.
    """
    found = [child for child in children if child.is_called(text)]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{len(found)} processes below {replica} match {text!r}, and one is to be signalled"
        raise UsageError(message, hint=f"say more of its command line; these match: {_listed(found)}")
    hint = f"below it are: {_listed(children)}" if children else "nothing is below it"
    raise UsageError(f"no process below {replica} has {text!r} in its name or command line", hint=hint)


def _listed(children: Sequence[Child]) -> str:
    more = f"; and {len(children) - LISTED} more" if len(children) > LISTED else ""
    return "; ".join(map(str, children[:LISTED])) + more
