"""Which names a template may say, by where it stands."""

from __future__ import annotations

from collections.abc import Iterable

from envspec.record import Record
from envspec.spec.diagnostics import NOT_YET
from envspec.spec.findings import Findings
from envspec.spec.nodes import Node
from envspec.spec.template import references

OWN = ("replica", "service", "ports", "addresses", "endpoints", "gpus")
"""What is a service's own, in a service."""
FILE = ("vars", "matrix", "env", "models", "services", "session", "project")
LANGUAGE = frozenset((*FILE, *OWN, "inputs"))


class Place(Record):
    """A kind of place that templates stand in: the names it sees, and how to say what it sees."""

    sees: tuple[str, ...]
    is_what: str

    @property
    def hint(self) -> str:
        """Say what may be named there."""
        return f"it sees {', '.join(name for name in self.sees if name not in NOT_YET)}"


SHAPE = Place(("vars", "matrix", "env"), "decides the environment's shape before ports are leased")
ENTRY_SHAPE = Place(("inputs",), "decides the service's shape before ports are leased")
STRUCTURE = Place(("vars", "matrix", "env", "models", "services"), "is read before ports are leased")
ENTRY_STRUCTURE = Place(("inputs",), "is read before ports are leased")
TOP_TEXT = Place(FILE, "stands outside of services")
TEXT = Place((*FILE, *OWN), "stands in a service")
ENTRY_TEXT = Place(("inputs", "session", "project", *OWN), "stands in a catalog entry")


def sees_all(nodes: Iterable[Node], place: Place) -> bool:
    """Say whether templates say no name of the language that is not to be had at `place`."""
    names = (reference.path[0] for node in nodes for reference in references(node))
    return all(name in place.sees or name not in LANGUAGE for name in names)


def check_names(nodes: Iterable[Node], place: Place, what: str, findings: Findings) -> bool:
    """Note templates that say a name of the language which is not to be had at `place`; return whether all is well.

    Names that the language does not have are left to the rendering, which knows the variables of the template itself.
    """
    well = True
    for node in nodes:
        for reference in references(node):
            name = reference.path[0]
            if name in LANGUAGE and name not in place.sees:
                well = False
                message = f"{what} {place.is_what}, where there is no '{name}'"
                findings.add(reference.mark, "out-of-scope", message, place.hint)
    return well
