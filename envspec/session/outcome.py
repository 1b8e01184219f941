"""How a start failed, as an event, and back: an error that was raised in another process can be raised again here."""

from __future__ import annotations

from typing import Any

from envspec import errors
from envspec.agent.wire import error_from_json
from envspec.errors import (
    Diagnostic,
    EnvspecError,
    RequirementError,
    ServiceError,
    SpecError,
    StoppedError,
    UsageError,
)
from envspec.plan.codec import from_json, to_json
from envspec.plan.events import SessionFailed
from envspec.session.status import SessionStatus


def stopped_before(what: str, reason: str) -> StoppedError:
    """Return the error of a start that somebody ended, and why they did."""
    return StoppedError(f"{what} was stopped before it was healthy ({reason})")


def takes_no_orders(status: SessionStatus, *, ending: bool) -> UsageError:
    """Return the error of an order to a session that has not come so far, or is `ending` or over."""
    if status.state in ("stopped", "failed"):
        return UsageError(f"the session {status.id} is {status.state}: nothing runs in it any more")
    if ending:
        return UsageError(f"the session {status.id} is stopping: whatever still runs in it is being ended")
    return UsageError(f"the session {status.id} is {status.state}: nothing runs in it yet")


def failed_event(error: BaseException) -> SessionFailed:
    """Return the event that tells an error whole. What is no EnvspecError is a bug, and says so."""
    if not isinstance(error, EnvspecError):
        return SessionFailed(
            error=type(error).__name__,
            message=f"envspec itself failed: {type(error).__name__}: {error}",
            hint="this is a bug in envspec, please report it",
            exit_code=EnvspecError.exit_code,
        )
    return SessionFailed(
        error=type(error).__name__,
        message=str(error),
        hint=error.hint,
        exit_code=error.exit_code,
        details=_details(error),
    )


def _details(error: EnvspecError) -> dict[str, object]:
    match error:
        case ServiceError():
            return {"service": error.service, **error.details}
        case SpecError():
            return {"diagnostics": [to_json(item) for item in error.diagnostics]}
        case RequirementError():
            return {"missing": list(error.missing)}
    return {}


def error_of(event: SessionFailed) -> EnvspecError:
    """Return the error that an event tells."""
    details: dict[str, Any] = dict(event.details)
    kind = getattr(errors, event.error, EnvspecError)
    if kind is SpecError:
        return SpecError([from_json(Diagnostic, item) for item in details["diagnostics"]])
    if kind is RequirementError:
        return RequirementError(event.message, hint=event.hint, missing=details["missing"])
    if isinstance(kind, type) and issubclass(kind, ServiceError):
        return kind(event.message, service=details.pop("service", ""), hint=event.hint, details=details)
    if event.exit_code == EnvspecError.exit_code:
        return EnvspecError(event.message, hint=event.hint)
    return error_from_json({"error": event.error, "message": event.message, "hint": event.hint})
