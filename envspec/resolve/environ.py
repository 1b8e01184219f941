"""The environment of a process: inherited, that of its models, then top `env`, less `unset_env`, `env_file`, `env`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from envspec.models.places import hub_cache, hub_home

Layer = Mapping[str, str | None]
"""Variables to set; null takes one away."""

VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
"""CUDA shows a process those that stand in it, and all where there is none
(https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-environment-variables)."""
SCRIPTS = str(Path(sys.prefix) / "bin")
"""Where the Python that runs envspec has its commands: what `pip install` put there is meant by its bare name."""

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=(.*)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


def search_path(environ: Mapping[str, str], scripts: str = SCRIPTS) -> str:
    """Return PATH with envspec's own Python in front, unless it is in there already.

    So `python` is the Python that runs envspec, and a command of one of its packages is found, also when envspec is
    called by its path from outside of the virtual environment.
    """
    path = environ.get("PATH", "")
    if scripts in path.split(":"):
        return path
    return f"{scripts}:{path}" if path else scripts


def inherited(environ: Mapping[str, str], patterns: Iterable[str] | None, scripts: str = SCRIPTS) -> dict[str, str]:
    """Return what a process has of the caller's environment: all of it, or what matches a pattern."""
    kept = dict(environ) if patterns is None else _matching(environ, patterns)
    if "PATH" in kept:
        kept["PATH"] = search_path(environ, scripts)
    return kept


def hidden_gpus(patterns: Iterable[str] | None) -> dict[str, str]:
    """Return what hides all GPUs from a service, unless its patterns say that it inherits which it may see."""
    told = any(fnmatchcase(VISIBLE_GPUS, pattern) for pattern in patterns or ())
    return {} if told else {VISIBLE_GPUS: ""}


def of_models(environ: Mapping[str, str], *, any_of_hub: bool) -> dict[str, str]:
    """Return what a process that uses models has above what it inherits: its files are here, so nothing is asked for.

    For models of the hub also where the caller's cache is, which `inherit_env` may have left out.
    """
    variables = {"HF_HUB_OFFLINE": "1"}
    if any_of_hub:
        variables["HF_HOME"] = str(hub_home(environ))
        if environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
            variables["HF_HUB_CACHE"] = str(hub_cache(environ))
    return variables


def layered(base: Mapping[str, str], *layers: Layer) -> dict[str, str]:
    """Return variables with layers over them, lowest first."""
    result: dict[str, str] = dict(base)
    for layer in layers:
        for name, value in layer.items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = value
    return result


def without(variables: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """Return variables less those that match a pattern."""
    gone = _matching(variables, patterns)
    return {name: value for name, value in variables.items() if name not in gone}


def _matching(variables: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    wanted = tuple(patterns)
    return {name: value for name, value in variables.items() if any(fnmatchcase(name, p) for p in wanted)}


def read_env_file(text: str) -> tuple[dict[str, str], list[tuple[int, int, str]]]:
    """Read NAME=VALUE lines; `#` begins a comment, single quotes are literal, double quotes know escapes.

    Returns the variables, and for each line that is none of these where its text begins and what is wrong with it,
    which repeats nothing of the line: what stands in such files is often secret.
    """
    variables, wrong = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match, column = _LINE.fullmatch(stripped), len(line) - len(line.lstrip()) + 1
        if "\0" in stripped:
            wrong.append((number, column, "this line holds a NUL character, which no variable can"))
        elif match is None:
            wrong.append((number, column, "this line is not NAME=VALUE"))
        else:
            variables[match[1]] = _unquoted(match[2].strip())
    return variables, wrong


def _unquoted(value: str) -> str:
    if match := re.match(r"'([^']*)'", value):
        return match[1]
    if match := re.match(r'"((?:[^"\\]|\\.)*)"', value):
        return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[0]), match[1])
    return re.split(r"\s+#", value, maxsplit=1)[0]
