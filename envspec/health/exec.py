"""`exec`: a command exits with 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from envspec.health.base import EXCERPT, TEN_SECONDS, Answer, Context, Validator, excerpt
from envspec.health.values import PositiveDuration
from envspec.units import format_seconds


@dataclass(frozen=True, kw_only=True)
class Exec(Validator):
    """A command, run with the replica's environment and in its directory, exits with 0.

    What the command leaves running in its process group is killed when it ends.
    """

    choose_one: ClassVar = (("command", "shell"),)

    command: list[str] | None = None
    """The command and its arguments."""
    shell: str | None = None
    """A script, run by `bash -eo pipefail -c`."""
    timeout: PositiveDuration = TEN_SECONDS
    """How long one attempt may take; then the command and all that it started are killed."""

    def probe(self, context: Context) -> Answer:
        """Run the command once."""
        argv = list(self.command) if self.command else ["bash", "-eo", "pipefail", "-c", self.shell or ""]
        try:
            code, output = context.run(argv, context.env, context.cwd, context.timeout)
        except TimeoutError:
            return Answer(passed=False, text=f"killed after {format_seconds(context.timeout)}: {argv[0]}")
        except FileNotFoundError as error:
            return Answer(passed=False, text=_missing(argv[0], str(error.filename), context))
        return Answer(passed=code == 0, text=_outcome(code, output))


def _missing(command: str, named: str, context: Context) -> str:
    # The same exception says that the directory is not there; only its file name tells them apart.
    if named == context.cwd:
        return f"no such directory: {named}"
    return f"command not found: {command} (PATH={context.env.get('PATH', '')}, directory {context.cwd})"


def _outcome(code: int, output: bytes) -> str:
    import signal

    ended = f"exit code {code}"
    if code < 0 and -code in {int(number) for number in signal.Signals}:
        ended = f"ended by {signal.Signals(-code).name}"
    # The last lines of a failing command are the ones that say why.
    tail = output.strip()[-EXCERPT:]
    return f"{ended}: {excerpt(tail)}" if tail else ended
