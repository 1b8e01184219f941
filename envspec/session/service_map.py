"""Ports and URLs of an environment by `"<service>_<port>"`: what tests that know one name each ask for."""

from __future__ import annotations

from typing import NoReturn, TypeVar

from envspec.errors import UsageError

Value = TypeVar("Value")


class NoSuchPortError(UsageError, KeyError):
    """No service has a port of that name."""

    __str__ = Exception.__str__  # KeyError would show the sentence in quotes


class ServiceMap(dict[str, Value]):
    """Something of every port, by `"<service>_<port>"`; for replicas `"<service>_<index>_<port>"`."""

    def __missing__(self, name: str) -> NoReturn:
        __tracebackhide__ = True
        raise NoSuchPortError(f"no service has a port {name!r}", hint=f"there are: {', '.join(self) or 'none'}")
