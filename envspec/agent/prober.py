"""The prober: asks validators, with their libraries and the user's callbacks, in a process of its own.

Run by the agent as `python -P -c CODE` (envspec.agent.prober_client), in the folder of the environment file. JSON lines
on stdin: `{"key", "do": "until" | "once" | "live" | "cancel", "checks", "replica", "env", "cwd", "log", "log_start",
"folder", "every", "failures", "timeout"}`. With `"held": true` it is asked only after `{"key", "do": "go"}`: what can
be prepared is, which makes the first answer come soonest. With `"behind": true` it is asked seldom until `{"key", "do":
"step_forward"}`: another check of the same replica comes first. `{"key", "do": "tell"}` asks for all last answers, and
`retire` for them and the end of the inquiry. One that was started before its session was known begins with `{"do":
"settle", "folder", "log"}`: where it belongs, and the file for what is printed. `ping` asks for a `pong`.

JSON lines on stdout: the notices `answer`, `told`, `asking`, `asked`, `done` and `unhealthy` of
envspec.agent.probe_inquiry, and `{"notice": "sick"}` when too many probes hang, after which the agent does well to
start another prober. It ends with its stdin.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from envspec.agent.loop import Loop
from envspec.agent.probe_attempt import Attempts
from envspec.agent.probe_command import Commands
from envspec.agent.probe_inquiry import Inquiry
from envspec.agent.probe_output import ThreadOutput
from envspec.agent.probe_patterns import PatternThread
from envspec.agent.probe_threads import Threads
from envspec.agent.wire import Message, Splitter, decode, encode
from envspec.health import VALIDATORS

HANGING_LIMIT = 16
"""Threads that may hang before the prober calls itself sick. Each holds a stack, and perhaps a connection."""
SWEEP = 0.1
"""Seconds between two looks for probes that hang; only while something is being asked."""
HURRIED = 16
"""Inquiries that are asked sooner when another has passed. Among more, asking would cost more than it saves."""


class Prober:
    """Reads messages, keeps one inquiry for each key, and writes what they report."""

    def __init__(self, source: int, sink: int) -> None:
        self._source, self._sink = source, sink
        self._loop = Loop()
        self._splitter = Splitter()
        self._writing = threading.Lock()
        self._inquiries: dict[str, Inquiry] = {}
        self._commands, self._output = Commands(), ThreadOutput()
        self._attempts = Attempts(self._commands, self._output, PatternThread(self._loop))
        self._threads = Threads()
        self._hanging = 0
        self._sweeping = False

    def run(self) -> None:
        """Serve until the source ends."""
        self._output.install()
        self._loop.watch(self._source, self._read)
        self._loop.run()
        self._commands.close()

    def report(self, messages: list[Message]) -> None:
        """Write messages, in one piece; called from all threads."""
        data = b"".join(map(encode, messages))
        with self._writing, suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._sink, data) :]
        if any(message["notice"] == "done" and message["passed"] for message in messages):
            self._hurry_others()

    def _hurry_others(self) -> None:
        waiting = [inquiry for inquiry in list(self._inquiries.values()) if inquiry.waits]
        if len(waiting) <= HURRIED:
            for inquiry in waiting:
                inquiry.hurry()

    def _read(self) -> None:
        data = os.read(self._source, 65536)
        if not data:
            self._loop.stop()
        for line in self._splitter.feed(data):
            self._obey(decode(line))

    def _obey(self, message: Message) -> None:
        verb, key = message["do"], message.get("key", "")
        if verb == "settle":
            settle(message["folder"], message["log"])
        elif verb == "ping":
            self.report([{"notice": "pong"}])
        elif verb == "go":
            self._start(key)
        elif verb == "step_forward":
            if key in self._inquiries:
                self._inquiries[key].step_forward()
        elif verb == "tell":
            self._tell(key)
        elif verb == "retire":
            self._tell(key)
            self._replace(key, None)
        else:
            self._replace(key, None if verb == "cancel" else message)

    def _tell(self, key: str) -> None:
        """Report all last answers of an inquiry; one that is over has done so."""
        if key in self._inquiries:
            self._inquiries[key].tell_all()
        else:
            self.report([{"key": key, "notice": "told"}])

    def _replace(self, key: str, message: Message | None) -> None:
        """Forget what `key` asks; take in its new inquiry, and begin it unless it is held."""
        former = self._inquiries.pop(key, None)
        if former is not None:
            former.cancel()
        if message is not None:
            self._inquiries[key] = Inquiry(message, self.report, self._attempts, self._threads)
            if message.get("held"):
                warm_up(check["kind"] for check in message["checks"])
            else:
                self._start(key)

    def _start(self, key: str) -> None:
        if key in self._inquiries:
            self._inquiries[key].start()
            self._keep_sweeping()

    def _keep_sweeping(self) -> None:
        if self._inquiries and not self._sweeping:
            self._sweeping = True
            self._loop.after(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        before, now = self._hanging, time.monotonic()
        self._hanging += sum(inquiry.give_up_hanging(now) for inquiry in self._inquiries.values())
        if before < HANGING_LIMIT <= self._hanging:
            self.report([{"notice": "sick", "hanging": self._hanging}])
        self._inquiries = {key: inquiry for key, inquiry in self._inquiries.items() if not inquiry.over}
        self._keep_sweeping()


def settle(folder: str, log: str) -> None:
    """Go to the folder of the environment file, and print to `log`, as if we had been started so.

    Raises:
        OSError: one of them cannot be used. Whoever starts a prober there is told the same.
    """
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def warm_up(kinds: Iterable[str]) -> None:
    """Import in the background what the first answers would else wait for, while the services still start."""
    needs = [VALIDATORS[kind].needs for kind in kinds if kind in VALIDATORS]
    modules = ["http.client", *(need[0] for need in needs if need)]
    if not all(module in sys.modules for module in modules):
        threading.Thread(target=_import, args=(modules,), daemon=True, name="warm-up").start()


def _import(modules: list[str]) -> None:
    # The first getaddrinfo of a process imports this codec and its tables.
    "localhost".encode("idna")
    for module in modules:
        with suppress(ImportError):
            importlib.import_module(module)


def main() -> None:
    """Serve the agent on stdin and stdout, which nobody else in this process can reach."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    prober = Prober(source, sink)
    warm_up(())
    prober.run()
    # Neither the user's threads nor what they have registered for the exit may keep the process.
    os._exit(0)


if __name__ == "__main__":
    main()
