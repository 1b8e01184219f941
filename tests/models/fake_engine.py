"""A fake engine for tests of the loader: it loads nothing, yet holds real memory and has real processes if told to."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from envspec.models.engines.engine import Need


class FakeModel:
    """What the fake engine loads."""

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.path = path
        self.options = options
        self.memory = bytearray(options.get("holds", 0))
        self.memory[::4096] = b"x" * len(self.memory[::4096])  # touched, so that it is resident
        self.process: subprocess.Popen[bytes] | None = None
        self.released = False


class FakeEngine:
    """Counts what is done with it. `fails` are raised by the next loads, one each."""

    modules: tuple[str, ...] = ("json",)
    install = "pip install fake"
    signs_of_exhaustion = ("the fake is full",)

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.released: list[str] = []
        self.fails: list[Exception] = []
        self.seconds = 0.0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._alive: weakref.WeakSet[FakeModel] = weakref.WeakSet()

    def held(self) -> int:
        """Return the bytes of all models that somebody still refers to."""
        return sum(len(model.memory) for model in self._alive)

    def prepare(self) -> None:
        pass

    def needs(self, path: Path, options: Mapping[str, Any]) -> Need:  # noqa: ARG002
        return Need(ram=options.get("needs", options.get("holds", 0)))

    def load(self, path: Path, options: Mapping[str, Any]) -> FakeModel:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.at_once, self.most_at_once)
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        if self.fails:
            raise self.fails.pop(0)
        self.loaded.append(path.name)
        model = FakeModel(path, options)
        self._alive.add(model)
        if options.get("spawns"):
            model.process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        return model

    def release(self, engine: FakeModel) -> None:
        engine.released = True
        self.released.append(engine.path.name)
        if engine.process is not None and engine.options["spawns"] == "well-behaved":
            engine.process.communicate(b"\n")
