"""Starting processes from the owner's side: the guardian, an heir, a session.

Only this package spawns, so the floors above ask here.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from envspec.models.places import settled

GARBAGE = 50_000
"""New objects after which garbage is looked for, of which there are few here (see envspec.__main__)."""
_ROOT = Path(__file__).resolve().parents[2]
_CODE = (
    "import gc, sys; gc.set_threshold({garbage}); sys.path.insert(0, {root!r}); "
    "from envspec.agent.{module} import main; main()"
)


def guardian_argv(owner: int | None = None) -> list[str]:
    """Return the command line of a guardian that ends with process `owner`, which must be its parent (default: us).

    Isolated and without site-packages (`-I -S`), since neither is needed and each costs milliseconds; `-m` cannot
    find envspec then, hence the code.
    """
    return _argv("guardian", owner or os.getpid())


def _argv(module: str, owner: int) -> list[str]:
    code = _CODE.format(root=str(_ROOT), garbage=GARBAGE, module=module)
    return [sys.executable, "-I", "-S", "-c", code, str(owner)]


def launch(stream: socket.socket) -> subprocess.Popen[bytes]:
    """Start a guardian, and with it an agent, on our end of whose stream `stream` is the other.

    The caller closes `stream` afterwards, and in time waits for the process: when it has ended, or when the stream
    has, nothing of the environment is left. What the agent prints before its hello goes to our stderr.
    """
    return subprocess.Popen(
        guardian_argv(),
        env=settled(os.environ),
        stdin=stream.fileno(),
        stdout=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def launch_heir(stream: socket.socket) -> subprocess.Popen[bytes]:
    """Start an heir (envspec.agent.heir) of ours, on our end of whose stream `stream` is the other."""
    return subprocess.Popen(
        _argv("heir", os.getpid()),
        stdin=stream.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def spawn_detached(
    argv: Sequence[str], env: Mapping[str, str], log: Path, inherited: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us, in a session of its own; its output goes to `log`.

    `inherited` are descriptors that it gets under the same numbers.
    """
    with log.open("ab") as output:
        os.fchmod(output.fileno(), 0o600)
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=inherited,
        )
