"""Finding what a session supplied to a plan, and putting another session's in its place.

A plan is text in which ports, directories and the session's id turn up. Whether it depends on them in no other way
(arithmetic, comparison, a piece of a name) is tried, not assumed: the plan is made for several stand-ins, and the first
one's plan, with its stand-ins exchanged, must give each of the others, to the letter. They are what real sessions get,
numbers from the very ranges and ids of the very form, so that a template which asks "is this below 25000" hears from
all of them what it will hear from a real one, and one that tells them apart is found out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, PortRequest
from envspec.session.state import ID_LETTERS

if TYPE_CHECKING:
    import random

Swap = Mapping[str, str]

SAMPLES = 6
"""Plans that are compared, at some milliseconds each. A template that divides ports in two halves by anything but
their order is missed by one in 2 to the power of 5, by their order never: the first two are the ends of the ranges."""
ROOTS = ("", "/home/someone/.local/state/envspec/sessions", "/s", "/var/tmp/a/state/of/my-own/sessions")  # noqa: S108
"""Where sessions may be: where this one is, and elsewhere, shorter and longer."""


def stand_ins(outline: Outline, real: Bindings) -> list[Bindings]:
    """Return bindings as sessions like `real` might have them.

    Raises:
        LookupError: a range is too narrow to draw from.
    """
    import random  # a plan is kept behind a start, and put to use before the first service

    draw = random.Random()  # noqa: S311  samples, not secrets; other ones each time
    letters = draw.sample(ID_LETTERS, len(ID_LETTERS))
    made = [_bindings(outline, real, number, letters, draw) for number in range(SAMPLES)]
    commits = {name: _commits(draw) for name in _branches(outline, real)}
    return [
        _with_commits(bindings, {name: each[i] for name, each in commits.items()}) for i, bindings in enumerate(made)
    ]


def _branches(outline: Outline, real: Bindings) -> list[str]:
    """Return the models whose commit may be another one tomorrow; one that the file names is always the same."""
    return [
        model.name
        for model in outline.models
        if model.name in real.commits and model.options.get("revision") != real.commits[model.name]
    ]


def _commits(draw: random.Random) -> list[str]:
    """Return commits that differ in every place."""
    return [
        "".join(digits) for digits in zip(*(draw.sample("0123456789abcdef", SAMPLES) for _ in range(40)), strict=True)
    ]


def _with_commits(bindings: Bindings, commits: Mapping[str, str]) -> Bindings:
    """Exchange commits, also in the paths that hang on them."""
    models = {
        name: path.replace(bindings.commits[name], commits[name]) if name in commits else path
        for name, path in bindings.models.items()
    }
    return replace(bindings, models=models, commits={**bindings.commits, **commits})


def _bindings(outline: Outline, real: Bindings, number: int, letters: list[str], draw: random.Random) -> Bindings:
    tail = "".join(letters[(place + 5 * number) % len(letters)] for place in range(5))  # differs in every place
    session = f"{outline.name}-{tail}"
    root = ROOTS[number % len(ROOTS)] or str(Path(real.directory).parent)
    ports: dict[str, dict[str, tuple[int, ...]]] = {}
    taken: set[int] = set()
    for request in outline.ports:
        block = next((block for block in _blocks(request, number, draw) if taken.isdisjoint(block)), None)
        if block is None:
            raise LookupError(request.port)
        taken.update(block)
        ports.setdefault(request.replica, {})[request.port] = tuple(block)
    tmp = f"{Path(real.tmp).parent}/es-{draw.randbytes(5).hex()}"
    return replace(real, session=session, directory=f"{root}/{session}", tmp=tmp, ports=ports)


def _blocks(request: PortRequest, number: int, draw: random.Random) -> Iterable[range]:
    """Return candidates for a port: from below for the first stand-in, from above for the second, else drawn."""
    if request.fixed is not None:
        return [range(request.fixed, request.fixed + request.count)]
    starts = [start for low, high in request.ranges for start in range(low, min(high, request.max) - request.count + 2)]
    if number > 1:
        starts = draw.sample(starts, min(len(starts), 1000))
    return (range(start, start + request.count) for start in (reversed(starts) if number == 1 else starts))


def is_plain(bindings: Bindings) -> bool:
    """Say whether no quoting or encoding would change what is put in, as it does not change the stand-ins."""
    words = (bindings.session, bindings.directory, bindings.tmp, *bindings.models.values(), *bindings.commits.values())
    return all(re.fullmatch(r"[A-Za-z0-9_./-]+", word) for word in words)


def swap(old: Bindings, new: Bindings) -> Swap:
    """Return what must be written instead of what, to make `new`'s plan of `old`'s."""
    pairs = {old.session: new.session, old.directory: new.directory, old.tmp: new.tmp}
    pairs |= {path: new.models[name] for name, path in old.models.items()}
    pairs |= {commit: new.commits[name] for name, commit in old.commits.items()}
    for replica, ports in old.ports.items():
        for port, numbers in ports.items():
            pairs |= {str(a): str(b) for a, b in zip(numbers, new.ports[replica][port], strict=True)}
    return pairs


def swapped(data: Any, pairs: Swap) -> Any:
    """Return JSON data with every whole occurrence exchanged, in numbers, texts and keys."""
    numbers = "|".join(old for old in pairs if old.isdigit())
    words = "|".join(re.escape(old) for old in sorted(pairs, key=len, reverse=True) if not old.isdigit())
    # Words first: a commit may begin with the digits of a port.
    pattern = re.compile(rf"{words}|(?<![0-9])(?:{numbers or '(?!)'})(?![0-9])")
    return _exchanged(data, pairs, lambda text: pattern.sub(lambda found: pairs[found[0]], text))


def _exchanged(data: Any, pairs: Swap, text: Callable[[str], str]) -> Any:
    if isinstance(data, str):
        return text(data)
    if isinstance(data, dict):
        return {text(key): _exchanged(value, pairs, text) for key, value in data.items()}
    if isinstance(data, list):
        return [_exchanged(item, pairs, text) for item in data]
    if isinstance(data, int) and not isinstance(data, bool):
        return int(pairs.get(str(data), data))
    return data
