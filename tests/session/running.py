"""Sessions for tests: real agents, real processes, and a record of everything that was told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import TracebackType
from typing import Any, Self, TypeVar

from envspec.agent.identity import start_time
from envspec.backends.base import Backend
from envspec.errors import EnvspecError
from envspec.plan.events import Event, ReplicaStarting
from envspec.session.request import Request
from envspec.session.status import ReplicaStatus
from envspec.session.thread import BackgroundSession

Kind = TypeVar("Kind", bound=Event)
PATIENCE = 30.0


class Running:
    """A session in a thread, started in another so that a test can do something meanwhile."""

    def __init__(self, request: Request, backend: Backend | None = None) -> None:
        self.request = request
        self.background = BackgroundSession(request, backend)
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self._news = threading.Condition()
        self._starter = threading.Thread(target=self._start)

    def begin(self) -> Self:
        """Start, and do not wait."""
        self._starter.start()
        return self

    def up(self) -> Self:
        """Start, and return when healthy; raises what the start raised."""
        self.begin().join()
        if self.error is not None:
            raise self.error
        return self

    def fails(self) -> Any:
        """Start, and return the error that this ends with."""
        self.begin().join()
        assert isinstance(self.error, EnvspecError), self.events
        return self.error

    def join(self) -> None:
        self._starter.join(PATIENCE)
        assert not self._starter.is_alive(), self.events

    def stop(self) -> None:
        self.background.stop("the test is over")
        if self._starter.ident is not None:
            self.join()

    def of(self, kind: type[Kind], **fields: object) -> list[Kind]:
        """Return the events of a kind so far."""
        found = [event for event in tuple(self.events) if isinstance(event, kind)]
        return [event for event in found if all(getattr(event, name) == value for name, value in fields.items())]

    def wait(self, kind: type[Kind], **fields: object) -> Kind:
        """Return the first such event, as soon as it is there."""
        return self.wait_count(kind, 1, **fields)[0]

    def wait_count(self, kind: type[Kind], count: int, **fields: object) -> list[Kind]:
        """Return such events, as soon as there are so many."""
        with self._news:
            seen = self._news.wait_for(lambda: len(self.of(kind, **fields)) >= count, PATIENCE)
        assert seen, f"not {count} {kind.__name__} {fields}: {self.events}"
        return self.of(kind, **fields)

    def index(self, kind: type[Event], **fields: object) -> int:
        """Return the place of the first such event among all."""
        return self.events.index(self.of(kind, **fields)[0])

    def starts(self) -> list[str]:
        """Return the replicas in the order in which they started."""
        return [event.replica for event in self.of(ReplicaStarting)]

    def __getitem__(self, replica: str) -> ReplicaStatus:
        return self.background.status().services[replica]

    def log(self, replica: str) -> str:
        return self.background.read_log(replica, 0, 65536)[0].decode()

    def _start(self) -> None:
        try:
            self.background.start(self._hear)
        except BaseException as error:  # noqa: BLE001  the thread that asked raises it
            self.error = error

    def _hear(self, event: Event) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()


class Bench:
    """Writes environment files below `path` and runs sessions of them, all stopped in the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sessions: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for session in self._sessions:
            session.stop()

    @property
    def state(self) -> Path:
        return self.path / "state"

    def file(self, text: str, name: str = "env") -> Path:
        file = self.path / f"{name}.yaml"
        file.write_text(f"version: 1\n{dedent(text)}")
        return file

    def request(self, text: str, name: str = "env", **more: Any) -> Request:
        environ = {**os.environ, "BENCH": str(self.path), **more.pop("environ", {})}
        return Request(self.file(text, name), environ=environ, **more)

    def session(self, text: str, name: str = "env", backend: Backend | None = None, **more: Any) -> Running:
        session = Running(self.request(text, name, **more), backend)
        self._sessions.append(session)
        return session

    def touch(self, name: str) -> None:
        """Make a file that a service of the test waits for."""
        (self.path / name).touch()


class Owner:
    """A process of its own that owns a session."""

    def __init__(self, bench: Bench, text: str) -> None:
        argv = [sys.executable, "-m", "tests.session.owner", str(bench.file(text))]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> subprocess.Popen[str]:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("env-")
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def is_gone(pid: int) -> bool:
    return start_time(pid) is None


def eventually(condition: Callable[[], object], what: str = "it") -> None:
    """Wait until something outside of a session's events is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.01)
