"""`exec`: a command exits with 0."""

from __future__ import annotations

from typing import ClassVar

from envspec.health.base import EXCERPT, TEN_SECONDS, Answer, CommandTimeoutError, Context, Validator, excerpt
from envspec.health.values import PositiveDuration
from envspec.units import format_seconds

MISSING = (
    "install the validator's command, or correct its name; if the service itself brings it, ask with `shell`, "
    "which is tried again until start_timeout"
)


class Exec(Validator):
    """A command, run with the replica's environment and in its directory, exits with 0.

    What the command leaves running in its process group is killed when it ends. It is nicer than services by 5.
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
        except CommandTimeoutError as error:
            text = f"killed after {format_seconds(context.timeout)}: {argv[0]}"
            tail = _tail(error.output)
            return Answer(passed=False, text=f"{text}; its last output: {tail}" if tail else text)
        except FileNotFoundError as error:
            return _missing(argv[0], str(error.filename), context)
        return Answer(passed=code == 0, text=_outcome(code, output))


def _missing(command: str, named: str, context: Context) -> Answer:
    # The same exception says that the directory is not there; only its file name tells them apart.
    if named == context.cwd:
        return Answer(passed=False, text=f"no such directory: {named}")
    text = f"command not found: {command} (PATH={context.env.get('PATH', '')}, directory {context.cwd})"
    # A path may name what the service is about to make; programs on PATH do not come while one waits.
    return Answer(passed=False, text=text, remedy="" if "/" in command else MISSING)


def _outcome(code: int, output: bytes) -> str:
    import signal

    ended = f"exit code {code}"
    if code < 0 and -code in {int(number) for number in signal.Signals}:
        ended = f"ended by {signal.Signals(-code).name}"
    tail = _tail(output)
    return f"{ended}: {tail}" if tail else ended


def _tail(output: bytes) -> str:
    # The last lines of a failing command are the ones that say why.
    return excerpt(output.strip()[-EXCERPT:])
