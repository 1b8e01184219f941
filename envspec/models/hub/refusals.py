"""What the hub, the network or the disk said, as one sentence, and what to do about it."""

from __future__ import annotations

import errno

from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from envspec.errors import ModelUnavailableError
from envspec.models.hub.attempts import GaveUpError
from envspec.models.hub.client import token_of
from envspec.models.hub.options import Hub
from envspec.models.hub.settings import endpoint_of
from envspec.models.source import Host

REFUSED = (HfHubHTTPError, HFValidationError, OSError)
"""What huggingface_hub raises of which nothing can be had by trying again."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DAMAGED = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE)
_SHOWN = 200  # characters of what a server says of its refusal; a proxy's may be a page


def refusal(error: BaseException, options: Hub, host: Host) -> ModelUnavailableError:
    """Return the error to raise for what huggingface_hub raised."""
    reason = _reason_of(error)
    if isinstance(reason, HfHubHTTPError):
        return _refused(reason, options, host)
    if isinstance(reason, GaveUpError):
        return ModelUnavailableError(
            f"{options.repo} cannot be had from {endpoint_of(host)}: {reason}",
            hint="try again when the hub can be reached; HF_ENDPOINT chooses another, HF_HUB_OFFLINE=1 uses the cache",
        )
    if isinstance(reason, HFValidationError):
        return ModelUnavailableError(f"{options.repo!r} is no name of a repository", hint="write it as org/name")
    if isinstance(reason, OSError) and reason.errno:
        return unwritable(reason, options, host)
    if isinstance(reason, FileMetadataError):
        return not_a_hub(options, host)
    return ModelUnavailableError(f"{options.repo} cannot be had: {reason}")


def not_a_hub(options: Hub, host: Host) -> ModelUnavailableError:
    """Return the error for an address that answers, but not as a hub would."""
    return ModelUnavailableError(
        f"{endpoint_of(host)} does not answer as a hub when asked for {options.repo}",
        hint="see whether HF_ENDPOINT names a hub or a mirror of one, and whether a proxy answers in its place",
    )


def unwritable(error: OSError, options: Hub, host: Host) -> ModelUnavailableError:
    """Return the error for a cache that takes no files: full, read-only, another user's, or no directory at all."""
    where = f"{options.repo} cannot be written to {host.hub_cache}"
    elsewhere = "set HF_HUB_CACHE to a directory"
    if error.errno in _FULL:
        return ModelUnavailableError(f"{where}: the disk is full", hint=f"make room there, or {elsewhere} with room")
    why = error.strerror or str(error)
    if error.errno in _DAMAGED:
        return ModelUnavailableError(f"{where}: {why}", hint=f"look at the disk, or {elsewhere} on another")
    # No place for a directory, or none for this user.
    hint = f"{elsewhere} that can be made and written, or fetch the model as the user who owns it"
    return ModelUnavailableError(f"{where}: {why}", hint=hint)


def _reason_of(error: BaseException) -> BaseException:
    """Return the first cause: huggingface_hub says "check your connection" of whatever it met."""
    while isinstance(error.__cause__, HfHubHTTPError | FileMetadataError | GaveUpError):
        error = error.__cause__
    return error


def _refused(error: HfHubHTTPError, options: Hub, host: Host) -> ModelUnavailableError:
    repo, page, variable = options.repo, f"{endpoint_of(host)}/{options.repo}", options.token_env
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return ModelUnavailableError(
            f"{repo} is gated: the hub gives its files only to accounts that have accepted its terms",
            hint=f"accept them at {page}, and set {variable} to a token of that account",
        )
    if isinstance(error, RevisionNotFoundError):
        return ModelUnavailableError(
            f"{repo} has no revision {options.revision!r}",
            hint=f"{page}/tree/main lists branches and tags; a commit is written with all its 40 digits",
        )
    if status == 401 and _sends_token(options, host):
        return ModelUnavailableError(
            f"the hub does not accept the token in {variable} for {repo}",
            hint=f"make a new one at {endpoint_of(host)}/settings/tokens, or unset {variable} if the model is public",
        )
    file = error.response.url.path.partition("/resolve/")[2].partition("/")[2]
    if status == 404 and file and not isinstance(error, RepositoryNotFoundError):
        return ModelUnavailableError(
            f"{repo} lists {file}, and the hub does not have it",
            hint=f"see {page}/tree/{options.revision}; `exclude: [{file!r}]` does without it",
        )
    if status in (401, 404) or isinstance(error, RepositoryNotFoundError):
        seen = "with this token" if _sends_token(options, host) else f"without a token ({variable} is not set)"
        return ModelUnavailableError(
            f"{endpoint_of(host)} has no model {repo}, or none that can be seen {seen}",
            hint=f"check the name; if the model is private, set {variable} to a token that may read it",
        )
    return _forbidden(error, options, host)


def _forbidden(error: HfHubHTTPError, options: Hub, host: Host) -> ModelUnavailableError:
    """Return the error for a refusal that says little more than its status."""
    repo, page, variable = options.repo, f"{endpoint_of(host)}/{options.repo}", options.token_env
    status = error.response.status_code
    told = f"HTTP {status} {_said(error)}".rstrip()
    if status == 400:
        return ModelUnavailableError(
            f"the hub takes the request for {repo} at {options.revision!r} to be wrong: {told}",
            hint=f"check `repo` and `revision` at {page}; HF_ENDPOINT, where it is set, must be the address of a hub",
        )
    if status == 403:
        known = _sends_token(options, host)
        right = f"let the token in {variable} read it" if known else f"set {variable} to a token that may read it"
        return ModelUnavailableError(
            f"the hub forbids {repo}: {told}",
            hint=f"{right} ({endpoint_of(host)}/settings/tokens); a proxy on the way may forbid it, too",
        )
    return ModelUnavailableError(
        f"the hub refuses {repo}: {told}",
        hint=f"see {page}, and whether the token in {variable} may read it",
    )


def _said(error: HfHubHTTPError) -> str:
    """Return what the server says of its refusal, on one line; of a page, such as a proxy's, only its status."""
    told = " ".join((error.server_message or "").split())
    if not told or "<" in told:
        return error.response.reason_phrase
    return told if len(told) <= _SHOWN else f"{told[: _SHOWN - 1]}…"


def _sends_token(options: Hub, host: Host) -> bool:
    return isinstance(token_of(options, host), str)
