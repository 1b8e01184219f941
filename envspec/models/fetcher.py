"""The fetcher process: gets models, many at a time, for an agent that may neither wait nor import what that needs.

Run as `python -P -m envspec.models.fetcher`. JSON lines on stdin: `{"key", "do": "resolve" | "fetch" | "warm",
"model": a ModelPlan}`. JSON lines on stdout, each with the `key` of its job:
`{"notice": "progress", "done", "total", "kept"}` at most twice a second, `{"notice": "waiting", "holder"}`,
`{"notice": "retrying", "reason", "seconds", "attempt"}`, and as the last `{"notice": "done", …}` with what the function
of this module returned, or `{"notice": "failed", "error", "message", "hint"}` with a class of `envspec.errors`.

It ends with its stdin or by SIGTERM, whatever is under way, and clears that away. Killed, it leaves what is half done,
which nobody trusts.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from envspec.errors import EnvspecError, ModelUnavailableError
from envspec.models.clearing import clear_away
from envspec.models.planned import planned
from envspec.models.source import Found, Host, Notice, Progress, Tell, Waiting

PROGRESS_EVERY = 0.5
"""Seconds between two notices of how far a job is."""
PATIENCE = 0.2
"""Seconds that downloads have to clear up as it ends; those for which no byte comes are cleared up after."""
CHUNK = 65536
AT_ONCE = {"resolve": 16, "fetch": 4, "warm": 1}
"""Jobs of a kind that run side by side; the others wait. Two that read the same disk only disturb each other."""

Model = Mapping[str, Any]
Answer = dict[str, Any]


def resolve(model: Model, host: Host, tell: Tell) -> Answer:
    """Find out where a model is or will be, and its commit.

    Raises:
        ModelUnavailableError: that cannot be told.
    """
    source, options = planned(model)
    return source.resolve(options, host, tell)._asdict()


def fetch(model: Model, host: Host, tell: Tell) -> Answer:
    """Get a model to its path, at its commit where the plan has one. `bytes` of `total` came or were made.

    `cached` says that this is none of them; `seconds` is what it took, 0 where all was found as it should be.

    Raises:
        ModelUnavailableError: it cannot be had.
    """
    began = time.monotonic()
    came = Came(tell)
    source, options = planned(model)
    found = Found(model["path"], model.get("commit", "")) if model["path"] else source.resolve(options, host, came)
    got = found if found.complete else source.fetch(options, found, host, came)
    return {
        "path": got.path,
        "commit": got.commit or found.commit,
        "cached": came.bytes == 0,
        "bytes": came.bytes,
        "total": came.total,
        "seconds": 0.0 if found.complete else time.monotonic() - began,
    }


def warm(model: Model, _host: Host, _tell: Tell) -> Answer:
    """Read a model's weights into the page cache, as far as memory is free: `bytes` of `total` are there then.

    Raises:
        ModelUnavailableError: they cannot be read.
    """
    from envspec.models.inventory import WEIGHTS
    from envspec.models.warm import free_memory, warm

    began, place = time.monotonic(), Path(model["path"])
    try:
        files = [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.suffix in WEIGHTS)
        warmed, total = warm(files, free_memory())
    except OSError as error:
        raise ModelUnavailableError(f"its weights cannot be read: {error}") from error
    return {"bytes": warmed, "total": total, "seconds": time.monotonic() - began}


DO: dict[str, Callable[[Model, Host, Tell], Answer]] = {"resolve": resolve, "fetch": fetch, "warm": warm}


class Came:
    """Remembers how far a job is, and passes it on."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._last = Progress(0, None)

    @property
    def bytes(self) -> int:
        """How many bytes came, of what is there now."""
        return self._last.done - self._last.kept

    @property
    def total(self) -> int:
        """How large the model is, as far as anybody said."""
        return self._last.total or self._last.done

    def __call__(self, notice: Notice) -> None:
        """Hear what happens."""
        if isinstance(notice, Progress):
            self._last = notice
        self._tell(notice)


class Job:
    """One job's voice. Progress is kept until somebody `flush`es it, so that thousands of chunks are few lines."""

    def __init__(self, key: str, write: Callable[[Answer], None]) -> None:
        self._key = key
        self._write = write
        self._told: Progress | None = None
        self._latest: Progress | None = None

    def tell(self, notice: Notice) -> None:
        """Hear what happens, from any thread."""
        if isinstance(notice, Progress):
            self._latest = notice
            return
        self.flush()
        self.say("waiting" if isinstance(notice, Waiting) else "retrying", **notice._asdict())

    def flush(self) -> None:
        """Write how far it is, if that is news."""
        latest = self._latest
        if latest is not None and latest != self._told:
            self._told = latest
            self.say("progress", **latest._asdict())

    def say(self, notice: str, **fields: Any) -> None:
        """Write a line about it."""
        self._write({"key": self._key, "notice": notice, **fields})


class Fetcher:
    """Reads jobs and does each in a thread of its own."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._host = Host.of(os.environ)
        self._writing = threading.Lock()
        self._bounds = {do: threading.Semaphore(number) for do, number in AT_ONCE.items()}
        self._jobs: list[Job] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Serve until the source ends."""
        threading.Thread(target=self._report, daemon=True).start()
        rest = b""
        for data in self._pieces():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                threading.Thread(target=self._serve, args=(json.loads(line),), daemon=True).start()

    def _pieces(self) -> Iterator[bytes]:
        """Yield what comes. A signal that another thread meets interrupts no read of this one, which handles it."""
        woken, wake = socket.socketpair()
        wake.settimeout(0)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        while True:
            ready = select.select([self._source, woken.fileno()], [], [])[0]
            if woken.fileno() in ready:
                woken.recv(CHUNK)
            if self._source in ready:
                if not (data := os.read(self._source, CHUNK)):
                    return
                yield data

    def _report(self) -> None:
        while not self._over.wait(PROGRESS_EVERY):
            for job in tuple(self._jobs):
                job.flush()

    def _serve(self, message: Mapping[str, Any]) -> None:
        job, do = Job(message["key"], self._write), message["do"]
        self._jobs.append(job)
        answer: Answer = {}
        try:
            with self._bounds[do]:
                answer = {"notice": "done", **DO[do](message["model"], self._host, job.tell)}
        except EnvspecError as error:
            answer = _failed(error)
        finally:
            # Whatever else a library raises: it ends this thread and stands in the log, and whoever waits hears of it.
            self._jobs.remove(job)
            job.say(**(answer or _failed(_unforeseen(sys.exc_info()[1]))))

    def _write(self, message: Answer) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._writing:
            while line:
                line = line[os.write(self._sink, line) :]


def _failed(error: EnvspecError) -> Answer:
    return {"notice": "failed", "error": type(error).__name__, "message": str(error), "hint": error.hint}


def _unforeseen(error: BaseException | None) -> ModelUnavailableError:
    return ModelUnavailableError(f"{type(error).__name__}: {error}", hint="the traceback is in fetcher.log")


def main() -> None:
    """Serve stdin and stdout. What libraries print goes to stderr: it would stand between the answers."""
    sink = os.dup(1)
    os.dup2(2, 1)
    leaving = threading.Lock()
    signal.signal(signal.SIGTERM, lambda number, _frame: _leave(sink, leaving, number))
    Fetcher(0, sink).run()
    _leave(sink, leaving)


def _leave(sink: int, leaving: threading.Lock, number: int = 0) -> None:
    """End at once, by the signal if there is one, with nothing half done left."""
    if not leaving.acquire(blocking=False):
        return  # in the midst of it: it would wait for locks that this very thread holds
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sink, 1, 2):  # what fails from now on does so for our end, of which somebody else tells
        os.dup2(nowhere, stream)
    clear_away(PATIENCE)
    if number:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    os._exit(0)  # at an ordinary exit, Python would wait for the libraries' own threads, and so for the downloads


if __name__ == "__main__":
    main()
