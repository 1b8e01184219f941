"""`python`: a function of the user's looks at the environment and does not object."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from envspec.health.base import TEN_SECONDS, Answer, Context, Validator
from envspec.health.values import PositiveDuration


class Python(Validator):
    """A Python function returns. It says no by raising; what it prints goes into the answer.

    It is called as `function(ctx, ...)`, where `ctx` has `services`, `replica` (None in `ready`), `vars`, `session` and
    `timeout`, shaped as in templates. The module is sought beside the environment file, and imported once.
    """

    in_users_python: ClassVar = True

    call: str
    """`module:function`."""
    args: dict[str, Any] | list[Any] | None = None
    """What the function gets after `ctx`: a mapping by name, a list by position."""
    timeout: PositiveDuration = TEN_SECONDS
    """How long one attempt may take."""

    def probe(self, context: Context) -> Answer:
        """Call the function once."""
        function = find_function(self.call, context.folder)
        ctx = Namespace({**context.values, "timeout": context.timeout})
        named = self.args if isinstance(self.args, Mapping) else {}
        listed = [] if self.args is named or self.args is None else self.args
        if function(ctx, *listed, **named) is False:
            return Answer(passed=False, text=f"{self.call} returned False")
        return Answer(passed=True, text=f"{self.call} returned")


def find_function(call: str, folder: str) -> Callable[..., object]:
    """Import the module, from `folder` first, and return the function.

    Raises:
        ValueError: `call` is not `module:function`, or the function is asynchronous.
        ImportError, AttributeError: there is no such module or function. Whatever the module raises, too.
    """
    module_name, _, name = call.partition(":")
    if not module_name or not name:
        message = f"call is written module:function, not {call!r}"
        raise ValueError(message)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    # A module that was written after the last look into its folder is not found without this.
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise
        message = f"there is no {module_name}.py in {folder}, nor a module of that name elsewhere"
        raise ImportError(message) from None
    function = getattr(module, name)
    if inspect.iscoroutinefunction(function):
        message = f"{call} is an async function; write a plain one, which may call asyncio.run itself"
        raise ValueError(message)
    found: Callable[..., object] = function
    return found


class Namespace:
    """A mapping read as `ctx.services` or `ctx["services"]`.

    It has no methods of its own, so that `vars.items` is the variable `items`, as in templates.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_values", {key: _wrapped(value) for key, value in values.items()})

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __getattr__(self, key: str) -> Any:
        if key in self._values:
            return self._values[key]
        message = f"there is no {key!r}; there is {', '.join(self._values) or 'nothing'}"
        raise AttributeError(message)

    def __setattr__(self, key: str, _value: object) -> None:
        message = f"{key} cannot be set: ctx is for reading"
        raise AttributeError(message)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


def _wrapped(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Namespace(value)
    return [_wrapped(item) for item in value] if isinstance(value, list | tuple) else value
