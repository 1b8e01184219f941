"""An endpoint of a live service, and what can be done on purpose to what passes through it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from envspec.errors import EnvspecError
from envspec.plan.fault import Order
from envspec.plan.toxics import Toxics
from envspec.session.amounts import seconds, size

if TYPE_CHECKING:
    from envspec.session.live import Handle


class EndpointFault:
    """A fault that has begun. As a context manager, it ends with the body of the `with`; else `heal` ends it."""

    def __init__(self, handle: Handle, end: Order) -> None:
        self._handle = handle
        self._end = end
        self._take_back: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        self._take_back = self._handle.leave_will([self._end])
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            self._handle.carry_out(self._end)
        except EnvspecError as another:
            if error is None:
                raise
            error.add_note(f"and then: {another}")
        finally:
            self._take_back()


class LiveEndpoint:
    """What lies between a port with `proxy: true` and those who use it; of a service, the port of all its replicas.

    Connections that are there are affected as well as new ones. Faults of different kinds add up, another one of the
    same kind takes the place of the first until it ends. Each is ordered when it is called, and ends with its `with` or
    by `heal`.
    The service's own health checks do not pass here.

    Each raises UsageError where the port has no relay.
    """

    def __init__(self, handle: Handle, service: str, port: str) -> None:
        self._handle = handle
        self._service = service
        self._port = port

    def __repr__(self) -> str:
        return f"<LiveEndpoint {self._service}.{self._port}>"

    def latency(self, delay: float | str, *, jitter: float | str = 0.0) -> EndpointFault:
        """Let everything that the service says arrive later, by seconds or a text such as "200ms".

        With `jitter`, by up to that more or less, at random; nothing overtakes what was said before it.
        """
        __tracebackhide__ = True
        return self._order("latency", Toxics(latency=seconds(delay, "latency()"), jitter=seconds(jitter, "jitter=")))

    def drop(self) -> EndpointFault:
        """Let nothing pass, as when packets vanish: connections are accepted, and stay silent.

        What was sent meanwhile arrives when that ends, but for clients that gave up before the service knew of them.
        """
        __tracebackhide__ = True
        return self._order("drop", Toxics(drop=True))

    def throttle(self, bytes_per_second: float | str) -> EndpointFault:
        """Let so many bytes a second pass, in either direction of each connection: a number, or a text as "64KB"."""
        __tracebackhide__ = True
        return self._order("throttle", Toxics(rate=size(bytes_per_second, "throttle()")))

    def reset(self, *, after_bytes: int | str = 0) -> EndpointFault:
        """Cut connections by RST, on both sides: now, or each after the service has said so many bytes more on it.

        New ones are accepted, and cut in the same way.
        """
        __tracebackhide__ = True
        return self._order("reset", Toxics(reset=True, after_bytes=int(size(after_bytes, "after_bytes="))))

    def heal(self) -> None:
        """End all faults of this endpoint."""
        __tracebackhide__ = True
        self._handle.carry_out(Order("heal", self._service, port=self._port))

    def _order(self, action: str, toxics: Toxics) -> EndpointFault:
        __tracebackhide__ = True
        order = Order(action, self._service, port=self._port, toxics=toxics, by=uuid4().hex)
        self._handle.carry_out(order)
        return EndpointFault(self._handle, Order("heal", self._service, port=self._port, heals=action, by=order.by))
