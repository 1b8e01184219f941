"""What `envspec up` does before the command line is read: start the agent, and import what loads OpenSSL without it.

The agent takes as long to come up as everything that this process imports (each 80 ms), and more where it is not alone
on its core; click, which finds out what is asked for, is 10 ms of that, and stands behind the agent for this reason.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envspec.backends.local import LocalStart

OPENSSL = frozenset({"ssl", "_hashlib"})
"""Python's modules that load it."""
OPTIONS = frozenset({"--set", "--keep-on-failure", "--format"})
"""The options beside which `up` needs an agent here and now: not `--help`, not `--detach`, not another backend."""


def early_agent(argv: Sequence[str]) -> LocalStart | None:
    """Start an agent if a command line certainly needs one; None where it may not, or where none can be started.

    One that a mistake in the command line makes useless ends with this process.
    """
    command, *arguments = argv or [""]
    options = {argument.partition("=")[0] for argument in arguments if argument.startswith("-")}
    if command != "up" or not options <= OPTIONS:
        return None
    from envspec.backends.local import begin

    try:
        return begin()
    except OSError:
        return None  # `up` tries again, and tells


def import_without_openssl() -> None:
    """Import asyncio and hashlib as on a Python without OpenSSL, which is 7 of the 60 ms that a start imports.

    Nothing speaks TLS here, and hashlib has SHA-256 of its own.
    """
    if not OPENSSL.isdisjoint(sys.modules):
        return
    sys.modules.update(dict.fromkeys(OPENSSL))  # type: ignore[arg-type]  # None makes `import` raise ImportError
    import asyncio  # noqa: F401
    import hashlib  # noqa: F401

    for name in OPENSSL:
        del sys.modules[name]
