"""Whether a session is what would be started now: a document of all that makes it what it is, and its hash.

The plan's part is pure (envspec.plan.identity); here the host's is added: programs, packages, files, models.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import envspec
from envspec.errors import EnvspecError
from envspec.plan import identity as plan_identity
from envspec.plan.codec import to_json
from envspec.plan.identity import Document, digest
from envspec.plan.outline import Outline
from envspec.plan.plan import Check, Plan, ReplicaPlan
from envspec.plan.redact import secrets_of
from envspec.session import fingerprints
from envspec.session.draft import Draft
from envspec.session.request import Request
from envspec.session.state import write_json

FILE = "identity.json"
"""In the session's directory."""


class Identity(NamedTuple):
    """A document of short texts by key, secrets as digests, and its hash: twelve hexadecimal digits.

    `asked` stands for the vars that were set when it was asked for; it is no part of what a session is.
    """

    hash: str
    document: Document
    asked: str = ""


def identify(draft: Draft, request: Request, commits: Mapping[str, str]) -> Identity:
    """Return the identity of what a draft, made for this request, is about. `commits` are those of its models.

    Raises:
        SpecError: the file is wrong.
    """
    outline = draft.outline
    plan = draft.plan_for(plan_identity.stand_in(outline))
    secrets = secrets_of([request.environ], plan)
    document = {"envspec": envspec.__version__, "file": str(Path(outline.file).absolute())}
    document |= plan_identity.described(plan, outline, secrets)
    document |= {f"models.{name}.commit": commit for name, commit in commits.items()}
    document |= _of_host(plan)
    asked = digest(json.dumps(dict(request.sets), sort_keys=True))  # some of it may be secret
    return Identity(digest(json.dumps(document, sort_keys=True)), document, asked)


def _of_host(plan: Plan) -> Document:
    found = {
        f"models.{model.name}.files": fingerprints.tree(Path(str(model.options["path"])))
        for model in plan.models
        if model.source == "path"
    }
    made: Document = {}
    for replica in plan.replicas:
        made |= _of_replica(replica, made)
    for check in plan.ready:
        made |= dict(_of_check("ready", check, plan.directory))
    return found | made


def _of_replica(replica: ReplicaPlan, known: Document) -> Document:
    """Return a replica's program and files. Replicas that run the same program are told of once."""
    name, cwd, found = f"services.{replica.service}", replica.cwd, {}
    if not replica.attached and (replica.index == 0 or f"{name}.program" not in known):
        told = fingerprints.program(replica.argv[0], replica.env, cwd)
        found = {f"{name}.{key}": value for key, value in told.items()}
    for path in fingerprints.named_files(replica.argv[1:], cwd):
        found[f"{name}.file {path}"] = fingerprints.file(path)
    for check in (*replica.health, *replica.after_healthy, *replica.reset):
        found |= dict(_of_check(name, check, cwd))
    return found


def _of_check(name: str, check: Check, cwd: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a check reads: the module of `python`, what a command names."""
    if check.kind == "python":
        folder = Path(check.folder, *str(check.fields["call"]).partition(":")[0].split("."))
        for path in (folder.with_suffix(".py"), folder / "__init__.py"):
            if path.is_file():
                yield f"{name}.file {path}", fingerprints.file(path)
    if check.kind == "exec":
        words = check.fields.get("command") or [check.fields.get("shell")]
        for path in fingerprints.named_files(tuple(map(str, words)), cwd):  # type: ignore[call-overload]
            yield f"{name}.file {path}", fingerprints.file(path)


def present_commits(outline: Outline, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the commits that the models of an environment are at now; only a branch of the hub takes a request.

    Raises:
        ModelUnavailableError: that cannot be told.
    """
    commits = {}
    for model in outline.models:
        if model.source == "repo":
            # Here, not above: it is for environments with models of the hub alone.
            from envspec.models.planned import planned
            from envspec.models.source import Host

            source, options = planned(to_json(model))
            commits[model.name] = source.resolve(options, Host.of(environ), lambda _: None).commit
    return commits


async def noted_identity(
    draft: Draft, request: Request, commits: Mapping[str, str], directory: Path, begun: asyncio.Event
) -> str:
    """Keep the identity of a session in its directory and return its hash, once the start has `begun`.

    Empty where it has none: a template chokes on stand-ins, or the disk is full. Such a session is lent to nobody.
    """
    await begun.wait()  # beside the first spawn, it made that wait for 9 of 129 ms
    return await asyncio.to_thread(_note, draft, request, commits, directory)


def _note(draft: Draft, request: Request, commits: Mapping[str, str], directory: Path) -> str:
    try:
        identity = identify(draft, request, commits)
        kept = {"identity": identity.hash, "asked": identity.asked, "document": identity.document}
        write_json(directory / FILE, kept)
    except (EnvspecError, OSError):
        return ""
    return identity.hash


def read(directory: Path) -> Identity | None:
    """Return the identity of a session; None where it has none yet."""
    with suppress(OSError, ValueError, KeyError):
        kept = json.loads((directory / FILE).read_text("utf-8"))
        return Identity(kept["identity"], kept["document"], kept["asked"])
    return None
