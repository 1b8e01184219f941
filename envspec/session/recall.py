"""Plans of earlier sessions, found again: most starts are of a file that has not changed since the last one.

Reading a file takes 200 ms and more, nearly all of it imports (pydantic, jinja2) and the building of schemas. A plan
that was made before is used again when nothing has changed that it was made of: the files, `--set`, the caller's
environment and envspec itself. Only ports, directories and the session's id are new, and where they turn up in the
plan was tried when it was kept (envspec.session.stand_ins). Where anything is in doubt, the file is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import envspec
from envspec.models.places import own_cache
from envspec.plan.codec import from_json, to_json
from envspec.plan.outline import Outline
from envspec.plan.plan import Bindings, Plan
from envspec.plan.redact import redacted, secrets_of
from envspec.record import Record
from envspec.session.request import Request
from envspec.session.stand_ins import is_plain, swap, swapped
from envspec.session.state import write_json
from envspec.spec.find import project_of

PACKAGE = Path(__file__).parent.parent
MAKERS = ("catalog", "health", "models", "models/hub", "models/synthetic", "plan", "resolve", "session", "spec")
"""The parts of envspec that a plan is made by: in a checkout they change without a new version."""
CHANGING = frozenset(
    {
        *("_", "OLDPWD", "PWD", "SHLVL"),
        *("ENVSPEC_RUN_DIR", "ENVSPEC_STATE_DIR", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_TESTRUNUID"),
    }
)
"""Variables that differ from one command to the next. Services inherit their present values, whatever they were; a
plan of files that speak of one of them is not kept."""
_SPEAKS_OF_CHANGING = re.compile(rb"\b(?:env\._|%s)\b" % b"|".join(name.encode() for name in CHANGING - {"_"}))
MOST_KEPT = 64
"""Plans in the cache; the ones not used for longest go first."""


class Recalled(Record):
    """A plan of before, and the bindings that stand in for this session's."""

    outline: Outline
    _plan: Mapping[str, Any]
    _stand_in: Bindings
    _environ: Mapping[str, str]

    def plan(self, bindings: Bindings) -> Plan | None:
        """Return the plan for this session, or None where putting the names in might need quoting."""
        if not is_plain(bindings):
            return None
        return from_json(Plan, _with_environ(swapped(self._plan, swap(self._stand_in, bindings)), self._environ))


def recall(request: Request) -> Recalled | None:
    """Return the plan that was kept for the same request, if nothing that it was made of has changed."""
    place = _place(request)
    try:
        kept = json.loads(place.read_bytes())
        if any(_digest(Path(file).read_bytes()) != digest for file, digest in kept["files"].items()):
            return None
        if kept["plan"]["project"] != str(project_of(Path(kept["outline"]["directory"]))):
            return None  # a pyproject.toml or a .git has come or gone
        os.utime(place)
        return Recalled(
            from_json(Outline, kept["outline"]), kept["plan"], from_json(Bindings, kept["stand_in"]), request.environ
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not kept, or by another version, or half a file: reading is always right


def with_changing(environ: Mapping[str, str], value: str) -> dict[str, str]:
    """Return the variables as another command might have them."""
    return {name: value if name in CHANGING else own for name, own in environ.items()}


class Sample(Record):
    """A plan, and what it was made for."""

    bindings: Bindings
    environ: Mapping[str, str]
    plan: Plan


def keep(request: Request, outline: Outline, samples: Sequence[Sample], files: Mapping[str, bytes]) -> None:
    """Keep a plan for the next session. `files` are what it was made of.

    Nothing is kept where the samples differ in more than what was put in whole, or where a secret remains.
    """
    first, *others = samples
    data = _without_environ(to_json(first.plan), first.environ)
    for sample in others:
        if swapped(data, swap(first.bindings, sample.bindings)) != _without_environ(
            to_json(sample.plan), sample.environ
        ):
            return
    kept = {
        "files": {file: _digest(content) for file, content in files.items()},
        "outline": to_json(outline),
        "stand_in": to_json(first.bindings),
        "plan": data,
    }
    secrets = secrets_of([request.environ], first.plan)
    if redacted(kept, secrets) != kept or any(map(_SPEAKS_OF_CHANGING.search, files.values())):
        return
    place = _place(request)
    with suppress(OSError):  # a cache that cannot be written costs time, nothing else
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(place, kept)
        _forget_old(place.parent)


def _place(request: Request) -> Path:
    cache = own_cache(os.environ)
    made_of = [
        envspec.__version__,
        sys.executable,
        str(request.file.absolute()),
        str(cache),
        sorted(request.sets.items()),
        sorted((name, "" if name in CHANGING else value) for name, value in request.environ.items()),
        list(_makers()),
    ]
    return cache / "plans" / f"{_digest(json.dumps(made_of).encode())[:32]}.json"


def _makers() -> Iterator[tuple[str, int, int]]:
    for part in MAKERS:
        with os.scandir(PACKAGE / part) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_file():
                    stat = entry.stat()
                    yield entry.path, stat.st_mtime_ns, stat.st_size


def _forget_old(directory: Path) -> None:
    by_age = sorted(directory.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in by_age[MOST_KEPT:]:
        file.unlink(missing_ok=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _without_environ(plan: Any, environ: Mapping[str, str]) -> Any:
    """Leave out of each replica's variables what is the caller's: what may be secret is never written down."""
    for service in plan["services"]:
        for replica in service["replicas"]:
            env = replica["env"]
            replica["inherited"] = [name for name, value in env.items() if environ.get(name) == value]
            replica["env"] = {name: value for name, value in env.items() if environ.get(name) != value}
    return plan


def _with_environ(plan: Any, environ: Mapping[str, str]) -> Any:
    for service in plan["services"]:
        for replica in service["replicas"]:
            replica["env"] |= {name: environ[name] for name in replica.pop("inherited")}
    return plan
