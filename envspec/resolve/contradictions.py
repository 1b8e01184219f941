"""What each key of a service allows by itself, and all of them together do not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from envspec.spec.environment import Service
from envspec.spec.findings import Findings
from envspec.spec.nodes import MapNode, Scalar
from envspec.spec.service_spec import ServiceSpec


def note_contradictions(
    service: Service, spec: ServiceSpec, tree: MapNode, failed: set[str], findings: Findings
) -> None:
    """Note keys that want another one, or none. `failed` are those that could not be rendered, and were told."""
    liveness, args, reset = tree.key("liveness"), tree.key("args"), tree.key("reset")
    if liveness is not None and not spec.health and "health" not in failed:
        message = f"'liveness' asks 'health' again, and {service.name} has none"
        findings.add(liveness.mark, "no-validator", message, "add health:, or remove liveness:")
    if service.attached is not None:
        if reset is not None and spec.reset == "restart":
            message = f"{service.name} is attached: it was not started here, and cannot be restarted"
            findings.add(reset.mark, "attached-restart", message, "give it actions instead, such as an http request")
        return
    if args is not None and spec.shell is not None:
        message = f"'args' are appended to 'command', and {service.name} has a 'shell'"
        findings.add(args.mark, "args-and-shell", message, "put them into the script")
    elsewhere = failed & {"command", "shell"} or ("commands", service.name) in findings.spoiled
    if not any((spec.command or [])[:1]) and not (spec.shell or "").strip() and not elsewhere:
        empty = next((node for key in ("command", "shell") if (node := tree.get(key)) is not None), None)
        message = f"the service '{service.name}' has nothing to run"
        if empty is not None:
            findings.add(empty.mark, "no-command", f"{message}: this is empty", "a command begins with a program")
        else:
            findings.add(service.mark, "no-command", message, "it needs one of command, shell, use or attach")


def note_bad_names(tree: MapNode, findings: Findings) -> None:
    """Note names of files and variables that a file system or an environment cannot have."""
    files, env = tree.get("files"), tree.get("env")
    within = []
    for key, _ in files.items if isinstance(files, MapNode) else ():
        path = Path(key.text)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            message = f"'{key.text}' is not within the replica's directory"
            findings.add(key.mark, "bad-path", message, "files are written at relative paths, without '..'")
        else:
            within.append(key)
    _note_shadowed(within, findings)
    for key, _ in env.items if isinstance(env, MapNode) else ():
        if not key.text or "=" in key.text:
            findings.add(key.mark, "bad-name", f"'{key.text}' cannot name a variable: it is empty or contains '='")


def _note_shadowed(files: Iterable[Scalar], findings: Findings) -> None:
    """Note files that another one's path makes a directory, and two names for one file."""
    taken: dict[PurePosixPath, str] = {}
    for key in files:
        path = PurePosixPath(key.text)
        for other, name in taken.items():
            if path == other:
                findings.add(key.mark, "bad-path", f"'{key.text}' and '{name}' are the same file", "keep one of them")
            elif path in other.parents or other in path.parents:
                lower, upper = (key.text, name) if path in other.parents else (name, key.text)
                message = f"'{lower}' cannot be a file, and the directory of '{upper}' as well"
                findings.add(key.mark, "bad-path", message, "rename one of them")
        taken.setdefault(path, key.text)
