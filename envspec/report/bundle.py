"""What is needed to understand a failed run elsewhere, in one folder or one zip: written once, read by somebody else.

Everything that services wrote goes in without the values of secret variables.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any

from envspec.plan.redact import MASK, SECRET_NAMES, is_secret, redacted
from envspec.record import Record
from envspec.report import place
from envspec.report.masking import masked
from envspec.report.recorded import read_events
from envspec.report.text import plain
from envspec.report.timeline import timeline
from envspec.report.timeline_text import timeline_text
from envspec.session.harmless import harmless
from envspec.session.state import EVENTS, LOGS, PLAN

Put = Callable[[str, bytes], None]
"""Takes in a file: its name within the bundle, with slashes, and what is in it."""
WIDTH = 120
README = "README.txt"
STORIES = "environments.txt"


class Recorded(Record):
    """A session, its directory, and what must not be shown of what its services wrote."""

    id: str
    environment: str
    directory: Path
    secrets: tuple[str, ...] = ()


class FailedTest(Record):
    """A test that failed in `when`: setup, call or teardown. `sections` are titles and texts that its report has."""

    name: str
    when: str
    text: str
    sections: tuple[tuple[str, str], ...] = ()


class Run(Record):
    """A run of tests. `versions` are those of all that had a part in it, by name; `secrets` are its own.

    `stories` are what there is to tell of environments, as one that did not start, by their titles.
    """

    command: Sequence[str]
    sessions: Sequence[Recorded]
    failed: Sequence[FailedTest]
    versions: Mapping[str, str]
    secrets: tuple[str, ...] = ()
    stories: Mapping[str, str] = field(default_factory=dict)


def write_bundle(target: Path, run: Run) -> None:
    """Write a folder, or a zip where `target` ends in .zip, in place of one that is there.

    Of a folder only what an earlier report left there goes.

    Raises:
        OSError: it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix != ".zip":
        place.clear(target)
        _fill(run, lambda name, content: place.put(target, name, content))
        return
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.comment = place.COMMENT
            _fill(run, lambda name, content: archive.writestr(f"{target.stem}/{name}", content))
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)


def _fill(run: Run, put: Put) -> None:
    secrets = _longest_first([*run.secrets, *(secret for session in run.sessions for secret in session.secrets)])
    command = shlex.join(redacted(word, secrets) for word in run.command)  # which quotes what may be in a secret
    rows = [("versions.json", "what ran, on what")]
    put("versions.json", _json(redacted({"command": command, **run.versions}, secrets)))
    if run.stories:
        told = "\n\n".join(f"---- {title} ----\n{_clean(story)}" for title, story in run.stories.items())
        put(STORIES, redacted(f"{told}\n", secrets).encode())
        rows.append((STORIES, "why environments did not start, or broke down"))
    for number, test in enumerate(run.failed, 1):
        called = redacted(test.name, secrets)
        name = f"failed/{number:03d}-{_safe(called)}.txt"
        put(name, redacted(_told(test), secrets).encode())
        rows.append((name, f"{called}: {'failed' if test.when == 'call' else f'failed in its {test.when}'}"))
    for session in run.sessions:
        rows += _put_session(session, put)
    put(README, _readme(command, rows).encode())


def _put_session(session: Recorded, put: Put) -> list[tuple[str, str]]:
    """Put in what there is of a session; return the names of it, and what each is."""
    if not session.directory.is_dir():
        return [(f"{session.id}/", f"nothing: {session.directory} is gone")]
    secrets = session.secrets
    rows = [(f"{session.id}/", f"a session of the environment {session.environment}")]
    with suppress(OSError, ValueError):
        plan = redacted(json.loads((session.directory / PLAN).read_bytes()), secrets)
        put(f"{session.id}/variables.json", _json(_variables(plan)))
        put(f"{session.id}/plan.json", _json(_masked(plan)))
        rows.append((f"{session.id}/plan.json", "the environment, resolved: commands, ports, files, checks"))
        rows.append(
            (f"{session.id}/variables.json", "what all processes have in their environment, and each beside that")
        )
    if events := read_events(session.directory / EVENTS):
        put(f"{session.id}/{EVENTS}", _content(session.directory / EVENTS, secrets))
        put(f"{session.id}/timeline.txt", plain(timeline_text(timeline(events), WIDTH)).encode())
        rows.append((f"{session.id}/{EVENTS}", "what happened, one JSON object a line"))
        rows.append((f"{session.id}/timeline.txt", "where the time of the start went"))
    for log in sorted((session.directory / LOGS).glob("*.log")):
        put(f"{session.id}/{LOGS}/{log.name}", content := _content(log, secrets))
        rows.append((f"{session.id}/{LOGS}/{log.name}", f"what it wrote, {len(content)} bytes"))
    return rows


def _content(path: Path, secrets: tuple[str, ...]) -> bytes:
    """Return what is in a file, without secrets, and without what was punched out of it."""
    with suppress(OSError), path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        begin = 0
        with suppress(OSError):  # it is empty, or the file system knows no holes
            begin = os.lseek(file.fileno(), 0, os.SEEK_DATA)
        content = masked(os.pread(file.fileno(), size - begin, begin), secrets, torn=begin > 0)
        head = f"… its first {begin} bytes are no longer kept\n" if begin else ""
        return head.encode() + content
    return b""


def _replicas(plan: Any) -> Iterable[dict[str, Any]]:
    return (replica for service in plan["services"] for replica in service["replicas"])


def _variables(plan: Any) -> dict[str, Any]:
    """Return what all processes have, and what each has beside that."""
    each = {replica["name"]: _hidden(replica["env"]) for replica in _replicas(plan)}
    first = next(iter(each.values()), {})
    common = {name: value for name, value in first.items() if all(env.get(name) == value for env in each.values())}
    own = {replica: {name: value for name, value in env.items() if name not in common} for replica, env in each.items()}
    return {"all": common, **own}


def _masked(plan: Any) -> Any:
    for replica in _replicas(plan):
        replica["env"] = _hidden(replica["env"])
    return plan


def _hidden(env: Mapping[str, str]) -> dict[str, str]:
    return {name: MASK if is_secret(name) else value for name, value in sorted(env.items())}


def _told(test: FailedTest) -> str:
    parts = [test.text, *(f"---- {title} ----\n{text}" for title, text in test.sections)]
    body = "\n\n".join(map(_clean, parts))
    return f"{test.name}, {test.when}\n\n{body}\n"


def _clean(text: str) -> str:
    return "\n".join(map(harmless, text.splitlines()))


def _readme(command: str, rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    table = "".join(f"  {name:<{width}}  {what}\n" for name, what in rows)
    return (
        f"What is known of a failed run of tests: {command}\n\n{table}\n"
        f"Values of variables called {', '.join(SECRET_NAMES)} stand as {MASK}.\n"
        "Events are explained in docs/events.md of envspec.\n"
    )


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[-100:]


def _longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(secrets), key=len, reverse=True))


def _json(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=False).encode() + b"\n"
