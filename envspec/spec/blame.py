"""Mistakes that show inside a catalog entry and are those of the file that uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from envspec.errors import Diagnostic
from envspec.spec.catalog import SHIPPED
from envspec.spec.diagnostics import at
from envspec.spec.environment import Entry, Service
from envspec.spec.findings import Findings, once_for_all

R = TypeVar("R")


def of_each(services: Mapping[str, Service], make: Callable[[Service], R], findings: Findings) -> dict[str, R]:
    """Return what `make` makes of each service, with its mistakes told once and where they were caused."""

    def blamed(service: Service) -> R:
        with _blaming_user(service, findings):
            return make(service)

    return once_for_all(services, blamed, findings)


@contextmanager
def _blaming_user(service: Service, findings: Findings) -> Iterator[None]:
    """Tell what is found meanwhile inside the entry of a service where it was caused.

    That is the key by which the service takes a port away; else, since a shipped entry is right by itself, its `use`.
    What is found inside an entry of the user's own stays where it is.
    """
    before = len(findings.diagnostics)
    yield
    if service.entry is None or service.use is None or service.use.file == service.entry.file:
        return  # in the last case, the entry is what is checked
    told = [_told(found, service, service.entry) for found in findings.diagnostics[before:]]
    findings.diagnostics[before:] = _once(told, findings.diagnostics[:before])


def _told(found: Diagnostic, service: Service, entry: Entry) -> Diagnostic:
    if found.file != entry.file or service.use is None:
        return found
    place = f"in the entry at {found.file}:{found.line}:{found.column}"
    for port, mark in service.removed_ports.items():
        if found.code in ("template", "unknown-port") and found.message.endswith(f" '{port}'"):
            message = f"the entry '{entry.name}' uses its port '{port}', which the service '{service.name}' takes away"
            return at(mark, "removed-port", message, place)
    if Path(entry.file).parent != SHIPPED:
        return found
    hint = f"{found.hint}\n{place}" if found.hint else place
    return at(service.use, found.code, f"the service '{service.name}': {found.message}", hint)


def _once(diagnostics: Iterable[Diagnostic], before: list[Diagnostic]) -> list[Diagnostic]:
    """Return findings less those that say the same as an earlier one but for the place in the entry."""
    kept: list[Diagnostic] = []
    said = {replace(found, hint="") for found in before}
    for found in diagnostics:
        same = replace(found, hint="")
        if found.code != "removed-port" or same not in said:
            kept.append(found)
        said.add(same)
    return kept
