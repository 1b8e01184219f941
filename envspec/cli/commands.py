"""Every command of the command line: where it lives, and its line in `envspec --help`.

The lines are literals so that `--help` imports no command; a test keeps them equal to the commands' docstrings.
"""

from __future__ import annotations

from collections.abc import Iterable

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Environments": {
        "up": ("envspec.cli.up:up", "Start an environment, wait until healthy, show where things are."),
        "run": ("envspec.cli.run:run", "Start an environment, run a command in it, stop it."),
        "down": ("envspec.cli.down:down", "Stop running sessions."),
    },
    "What runs": {
        "ps": ("envspec.cli.ps:ps", "Show running sessions with every port by its name."),
        "logs": ("envspec.cli.logs:logs", "Show what services wrote."),
        "timeline": ("envspec.cli.timeline:timeline", "Show where the start-up time went."),
    },
    "Files": {
        "init": ("envspec.cli.init:init", "Write a first environment to start from."),
        "check": ("envspec.cli.check:check", "Validate environment files and catalog entries; runs nothing."),
        "show": ("envspec.cli.show:show", "Show an environment as envspec understands it."),
        "list": ("envspec.cli.list:list_environments", "List environments and whether this host can run them."),
        "schema": ("envspec.cli.schema:schema", "Write the JSON Schemas, or verify them."),
    },
    "Models": {
        "models": ("envspec.cli.models:models", "List, fetch, verify, pin and prune models."),
    },
    "Faults by hand": {
        "kill": ("envspec.cli.fault:kill", "Kill a service at once, as a crash would."),
        "pause": ("envspec.cli.fault:pause", "Stop a service where it stands, as a hang would."),
        "resume": ("envspec.cli.fault:resume", "Let a paused service go on."),
        "restart": ("envspec.cli.fault:restart", "Stop a service and start it again on the same ports."),
    },
}

COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}


def unknown(name: str, known: Iterable[str]) -> str:
    """Return what is said of a command that does not exist, with the one that comes closest."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1)
    return f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
