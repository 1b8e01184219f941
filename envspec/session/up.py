"""An environment for the length of a `with` block: for scripts and notebooks, as fixtures are for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from envspec.session.live import Environment
from envspec.session.request import Request
from envspec.session.thread import BackgroundSession
from envspec.spec.find import find


@contextmanager
def up(
    name: str | Path = "local", *, sets: Mapping[str, str] | None = None, keep_on_failure: bool = False
) -> Iterator[Environment]:
    """Start an environment, give it when it is healthy, and stop it when the block is left, however that happens.

    `name` is looked up in `environments/` from the working directory upwards, or is a path. `sets` override `vars`,
    written as after `--set`. With `keep_on_failure`, what did start stays up until this process ends.

    Raises:
        EnvspecError: the file is wrong, the host lacks something, or a service failed; nothing of it is left.
    """
    request = Request(
        file=find(str(name), Path.cwd()), sets=sets or {}, environ=dict(os.environ), keep_on_failure=keep_on_failure
    )
    session = BackgroundSession(request)
    session.start()
    try:
        yield Environment(session)
    finally:
        session.stop("the with block was left")
