"""Frozen dataclasses that are quick to define.

A command defines some seventy of them before it starts its first service. `dataclass(frozen=True)` compiles six methods
for each, 0.3 ms a class; the subclasses of Record share the ones below. See docs/adr/0011-records.md.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, ClassVar, NoReturn, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Record:
    """Makes each subclass a frozen dataclass, in all that `dataclasses`, pickle and type checkers ask of one."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _names: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _factories: ClassVar[dict[str, Any]]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(init=False, repr=False, eq=False)(cls)
        own = fields(cls)
        cls._names = tuple(item.name for item in own)
        cls._defaults = {item.name: item.default for item in own if item.default is not MISSING}
        cls._factories = {item.name: item.default_factory for item in own if item.default_factory is not MISSING}

    def __init__(self, *given: Any, **named: Any) -> None:
        """Take the fields in their order, or by name.

        Raises:
            TypeError: one without a default is missing, given twice, or unknown.
        """
        by_place = dict(zip(self.__match_args__, given, strict=False))  # type: ignore[attr-defined]
        values = {**self._defaults, **by_place, **named}
        for name, make in self._factories.items():
            if name not in values:
                values[name] = make()
        if len(by_place) < len(given) or by_place.keys() & named.keys() or values.keys() != set(self._names):
            raise TypeError(self._misfit(len(given), by_place, values))
        vars(self).update(values)
        self.__post_init__()

    def __post_init__(self) -> None:
        """Look at what was given, or complete it, as that of a dataclass does."""

    def _misfit(self, given: int, by_place: dict[str, Any], values: dict[str, Any]) -> str:
        missing = [name for name in self._names if name not in values]
        unknown = [name for name in values if name not in self._names]
        kind = type(self).__name__
        if missing or unknown:
            return f"{kind}() lacks {missing}" if missing else f"{kind}() knows no {unknown}"
        return f"{kind}() got {given} fields by place, and {[*by_place]} twice or beyond its last"

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self._names)
        return f"{type(self).__qualname__}({shown})"

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._names)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        message = f"cannot assign to field {name!r}"
        raise FrozenInstanceError(message)

    def __delattr__(self, name: str) -> NoReturn:
        message = f"cannot delete field {name!r}"
        raise FrozenInstanceError(message)
