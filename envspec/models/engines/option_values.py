"""Options compared by what they say, so that the same options written twice are the same engine."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any


def value_of(option: Any) -> Hashable:
    """Return something that is equal for equal options and can be a key. `True` is not `1`, `[1]` is `(1,)`.

    An object that compares by identity, as configurations of engines do, counts as the sum of its attributes; one
    that has none (a torch.dtype), a function or a class, as itself.
    """
    if isinstance(option, Mapping):
        return ("mapping", frozenset((value_of(key), value_of(value)) for key, value in option.items()))
    if isinstance(option, list | tuple):
        return ("sequence", tuple(value_of(value) for value in option))
    if isinstance(option, AbstractSet):
        return ("set", frozenset(value_of(value) for value in option))
    if _speaks_by_attributes(option):
        return (type(option), value_of(vars(option)))
    return (type(option), option)


def _speaks_by_attributes(option: Any) -> bool:
    if callable(option) or not getattr(option, "__dict__", None):
        return False
    return getattr(type(option), "__hash__", None) in (None, object.__hash__)
