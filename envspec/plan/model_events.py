"""Events about the models of an environment."""

from __future__ import annotations

from envspec.plan.event import Event


class ModelFetching(Event):
    """A model is being made or fetched. `commit` is the revision of a repository, empty elsewhere."""

    model: str
    source: str
    commit: str = ""


class ModelReady(Event):
    """A model's files are complete. `bytes` of `total` were downloaded or made, `cached` says that none were.

    What was here may still have had to be verified, linked, or waited for while another process got it: `seconds` is
    what that took, and 0 where nothing was to be done.
    """

    model: str
    path: str
    cached: bool
    commit: str = ""
    bytes: int = 0
    total: int = 0
    seconds: float = 0.0


class ModelProgress(Event):
    """How far a model is: `done` bytes of `total` (null while unknown) are here, of which `kept` were before.

    At most two a second for each model.
    """

    model: str
    done: int
    total: int | None
    kept: int = 0


class ModelWaiting(Event):
    """Another process gets the same model; `holder` names it."""

    model: str
    holder: str


class ModelRetrying(Event):
    """An attempt to get a model failed for a reason that may pass; the next one comes in `seconds`.

    Where that is 0, `reason` says by itself what is done at once, which may be something else.
    """

    model: str
    reason: str
    seconds: float
    attempt: int


class ModelWarmed(Event):
    """A model's weights were read into the page cache, `bytes` of `total`: free memory is the bound."""

    model: str
    bytes: int
    total: int
    seconds: float
