"""Every exception that envspec raises on purpose.

EnvspecError                      .hint, .exit_code
├─ UsageError                2    the command line or the call is wrong
│   └─ SessionOverError            the session that is asked has ended, or belongs to another process
├─ SpecError                 2    the file is wrong; .diagnostics holds all of it, never just the first
├─ ResourceError             3    this host cannot provide what the environment needs
│   ├─ PortUnavailableError        a fixed port is taken, or a range exhausted
│   ├─ ModelUnavailableError       a model cannot be made or fetched
│   ├─ RequirementError            a command, module, variable, memory or disk that `requires` demands
│   └─ StateDirectoryError         the state directory cannot be written (full, read-only, foreign)
├─ ServiceError              4    a service failed; .service names it
│   ├─ ServiceStartError           it could not be spawned
│   ├─ ServiceExitedError          it died before it was healthy, or while it should run
│   ├─ ServiceNotReadyError        it lived but never became healthy
│   ├─ ServiceStopError            something of it survived the stop
│   ├─ ServiceWaitError            a test waited for it in vain; a TimeoutError as well
│   └─ EnvironmentNotReadyError    every service is healthy, the environment's `ready` is not
├─ BackendError              5    the place where the environment should run said no
│   └─ AgentLostError              the agent on a node is gone
└─ StoppedError            130    somebody stopped the session before it was healthy

`str(error)` is what happened, in one sentence; `hint` is what to do about it, which tracebacks show as a note. Both may
hold several lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Diagnostic:
    """One thing wrong with a file, at one place of it.

    `line` and `column` count from 1; a diagnostic about a whole file stands at 1:1. `code` is a stable kebab-case
    name ("unknown-key"); `message` is one sentence, `hint` what to do, or empty.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = "error"


class EnvspecError(Exception):
    """What every error raised on purpose is; anything else that escapes is a bug in envspec."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # so that tracebacks show it, Python's and pytest's


class UsageError(EnvspecError):
    """The command line, or a call of the API, asks for something that cannot be."""

    exit_code = 2


class SessionOverError(UsageError):
    """There is no session any more that could be asked, or it is that of the process which this one was forked from."""


class SpecError(EnvspecError):
    """The environment file is wrong. `diagnostics` holds everything that was found."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = diagnostics[0]
        more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
        super().__init__(f"{first.file}:{first.line}:{first.column}: {first.message}{more}", hint=first.hint)
        self.diagnostics = tuple(diagnostics)


class ResourceError(EnvspecError):
    """This host cannot provide what the environment needs."""

    exit_code = 3


class PortUnavailableError(ResourceError):
    """A fixed port is taken, or a range has no free port left."""


class ModelUnavailableError(ResourceError):
    """A model's files cannot be made or fetched."""


class RequirementError(ResourceError):
    """Something that `requires` demands is not here. `missing` has one sentence for each."""

    def __init__(self, message: str, *, missing: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = tuple(missing)


class StateDirectoryError(ResourceError):
    """The directory that holds sessions cannot be used: full, read-only or not ours."""


class ServiceError(EnvspecError):
    """A service failed. `service` is the name of the replica, or of the environment for `ready`.

    `details` holds the facts that the message tells, as JSON values, for programs (envspec.session.failure).
    """

    exit_code = 4

    def __init__(
        self, message: str, *, service: str, hint: str = "", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.service = service
        self.details = dict(details or {})


class ServiceStartError(ServiceError):
    """A service could not be spawned at all."""


class ServiceExitedError(ServiceError):
    """A service died before it was healthy, or while it should have run."""


class ServiceNotReadyError(ServiceError):
    """A service lived, but its validators never passed within its start_timeout."""


class ServiceStopError(ServiceError):
    """Something of a service survived its stop."""


class ServiceWaitError(ServiceError, TimeoutError):
    """A service was not, in time, as a test waited for it to be."""


class EnvironmentNotReadyError(ServiceError):
    """Every service is healthy, but the environment's own `ready` never passed."""


class BackendError(EnvspecError):
    """The place where the environment should run refused or broke."""

    exit_code = 5


class AgentLostError(BackendError):
    """The agent on a node is gone, and with it everything that it ran."""


class StoppedError(EnvspecError):
    """Somebody stopped the session, or ended its owner, before it was healthy."""

    exit_code = 130
