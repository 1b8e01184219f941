"""What every validator is made of: the question's context, its targets, and the answer.

A validator is a record (envspec.record) whose fields are its keys in the file. Pydantic reads the fields, their types
and the docstrings beneath them for the file format, the JSON Schema and the reference page; the prober calls `probe`.
This module imports neither pydantic nor any client library: the agent reads it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import field, replace
from typing import Any, ClassVar, Protocol, TypeVar
from urllib.parse import urlsplit

from envspec.record import Record
from envspec.units import Duration, format_seconds

EXCERPT = 300
"""Bytes of a body or an output that an answer quotes: enough for an error object, short enough for a table."""

DEFAULT_PORTS = {"http": 80, "https": 443}

Run = Callable[[Sequence[str], Mapping[str, str], str, float], tuple[int, bytes]]
"""`run(argv, env, cwd, timeout)` gives exit code and output; raises CommandTimeoutError after it killed them all."""

Found = TypeVar("Found")


class Bounded(Protocol):
    """Does `work`, in which a pattern is matched, and gives up a match that takes longer than `limit` seconds.

    `looks` counts the matches begun. What it raises then becomes the answer of the check for good.
    """

    def __call__(
        self, pattern: str, limit: float, work: Callable[[], Found], looks: Callable[[], int] = ..., /
    ) -> Found:
        """Return what `work` returns."""


class Answer(Record):
    """What a probe found: whether it is healthy, and one line that says how one knows.

    `remedy` is what to do where asking again cannot help; it ends the wait at once. Else it is empty.
    """

    passed: bool
    text: str
    remedy: str = ""


class Target(Record):
    """A place to ask: a host that can be connected to, a port number, and for an attached service a path prefix."""

    scheme: str
    host: str
    port: int
    path: str = ""

    @classmethod
    def from_url(cls, url: str) -> Target:
        """Read `scheme://host:port/path?query`.

        Raises:
            ValueError: there is no host in it, or the port is not a number.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            message = f"{url!r} is not a URL such as http://127.0.0.1:8000/health"
            raise ValueError(message)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        return cls(parts.scheme, parts.hostname, port, f"{parts.path}{'?' if parts.query else ''}{parts.query}")

    @property
    def address(self) -> str:
        """`host:port`, with brackets around an IPv6 host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """`scheme://host:port`, and the path prefix where there is one."""
        return f"{self.scheme}://{self.address}{self.path}"


def _run_nothing(_argv: Sequence[str], _env: Mapping[str, str], _cwd: str, _timeout: float) -> tuple[int, bytes]:
    message = "commands are run by the prober only"
    raise NotImplementedError(message)


def _unbounded(_pattern: str, _limit: float, work: Callable[[], Found], _looks: object = None) -> Found:
    return work()


class Context(Record):
    """All that a probe may know beside its own fields.

    `timeout` is seconds for this attempt. `log` is the path of the replica's log, `log_start` the offset at which its
    present start begins. `values` is what a `python` validator sees as `ctx`; `folder` is where the environment file
    lies. `kept` outlives the attempt: a validator may leave there what makes the next try of the same check cheaper.
    """

    targets: tuple[Target, ...] = ()
    timeout: float = 5.0
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "."
    log: str = ""
    log_start: int = 0
    run: Run = _run_nothing
    bounded: Bounded = _unbounded
    values: Mapping[str, Any] = field(default_factory=dict)
    folder: str = "."
    kept: MutableMapping[str, Any] = field(default_factory=dict)


class Validator(Record):
    """What all validators share. Subclasses add their fields and say how to ask."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    choose_one: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields of which the file must write exactly one; checked by the spec, not here."""
    needs: ClassVar[tuple[str, str] | None] = None
    """A module beyond envspec's own dependencies, and the extra that installs it."""
    in_users_python: ClassVar[bool] = False
    """Whether a probe runs code of the user's, and so needs their interpreter. What `needs` a module does, too."""

    def probe(self, context: Context) -> Answer:
        """Ask once, within `context.timeout` seconds.

        May raise anything: the prober turns an exception into an answer that is not healthy.
        """
        raise NotImplementedError


PLACES = (("port", "endpoint"),)
PLACES_OR_URL = (("port", "endpoint", "url"),)

ONE_SECOND = Duration(1)
FIVE_SECONDS = Duration(5)
TEN_SECONDS = Duration(10)
HALF_A_MINUTE = Duration(30)


class CommandTimeoutError(TimeoutError):
    """A command took too long and was killed. `output` is what it had written last."""

    def __init__(self, output: bytes) -> None:
        super().__init__("the command took too long")
        self.output = output


class NotHttpError(OSError):
    """What a server sent is no answer of HTTP."""


def ask_each(targets: Iterable[Target], timeout: float, ask: Callable[[Target], Answer]) -> Answer:
    """Ask every target in turn, and return the first bad answer, or the last good one.

    What the operating system says (refused, reset, timed out, a TLS failure) becomes an answer that names the target;
    other exceptions pass through.
    """
    answer = Answer(passed=False, text="there is no endpoint to ask")
    for target in targets:
        try:
            answer = ask(target)
        except OSError as error:
            return Answer(passed=False, text=f"{target.address}: {explain(error, timeout)}")
        if not answer.passed:
            return replace(answer, text=f"{target.address}: {answer.text}")
    return answer


def explain(error: OSError, timeout: float) -> str:
    """Return what an operating system's error means for somebody who waits for a server."""
    if isinstance(error, TimeoutError):
        return f"no answer within {format_seconds(timeout)}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection closed by the server before it answered"
    if isinstance(error, NotHttpError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def excerpt(body: bytes, limit: int = EXCERPT) -> str:
    """Return the first `limit` bytes as one line of printable text."""
    text = body[:limit].decode("utf-8", "replace")
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    return f"{shown}…" if len(body) > limit else shown
