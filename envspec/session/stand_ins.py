"""Finding what a session supplied to a plan, and putting another session's in its place.

A plan is text in which ports, directories and the session's id turn up. Whether it depends on them in no other way
(arithmetic, comparison, part of a name) is tried, not assumed: the plan is made for two stand-ins whose numbers lie in
opposite orders, and turning the one into the other must give the other, to the letter.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings

Swap = Mapping[str, str]


def stand_ins(outline: Outline) -> tuple[Bindings, Bindings]:
    """Return two sets of bindings that share nothing but fixed ports: neither order, length, parity nor magnitude."""
    return (
        _bindings(outline, "one", itertools.count(64993, -8)),
        _bindings(outline, "another", itertools.count(1034, 12)),
    )


def _bindings(outline: Outline, word: str, numbers: Iterator[int]) -> Bindings:
    ports: dict[str, dict[str, tuple[int, ...]]] = {}
    for request in outline.ports:
        block = [next(numbers) for _ in range(request.count)]  # as many steps as numbers: no block meets another
        first = request.fixed if request.fixed is not None else min(block)
        ports.setdefault(request.replica, {})[request.port] = tuple(range(first, first + request.count))
    return Bindings(
        session=f"envspec-{word}-id",
        directory=f"/envspec-{word}-directory",
        tmp=f"/envspec-{word}-tmp",
        ports=ports,
        models={model.name: f"/envspec-{word}-model/{model.name}" for model in outline.models},
    )


def is_plain(bindings: Bindings) -> bool:
    """Say whether no quoting or encoding would change what is put in, as it does not change the stand-ins."""
    words = (bindings.session, bindings.directory, bindings.tmp, *bindings.models.values())
    return all(re.fullmatch(r"[A-Za-z0-9_./-]+", word) for word in words)


def swap(old: Bindings, new: Bindings) -> Swap:
    """Return what must be written instead of what, to make `new`'s plan of `old`'s."""
    pairs = {old.session: new.session, old.directory: new.directory, old.tmp: new.tmp}
    pairs |= {path: new.models[name] for name, path in old.models.items()}
    for replica, ports in old.ports.items():
        for port, numbers in ports.items():
            pairs |= {str(a): str(b) for a, b in zip(numbers, new.ports[replica][port], strict=True)}
    return pairs


def swapped(data: Any, pairs: Swap) -> Any:
    """Return JSON data with every whole occurrence exchanged, in numbers, texts and keys."""
    numbers = "|".join(old for old in pairs if old.isdigit())
    words = "|".join(re.escape(old) for old in sorted(pairs, key=len, reverse=True) if not old.isdigit())
    pattern = re.compile(rf"(?<![0-9])(?:{numbers or '(?!)'})(?![0-9])|{words}")
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
