"""What the file may say of a model of the hub. Pydantic reads fields and docstrings, without being imported here."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from envspec.record import Record

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A revision that is a commit, and so means the same for ever."""
_REPO = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_NEVER_IN_REPO = re.compile(r"--|\.\.|[.-]$|[.-]/|\.git$")
"""Both as the hub has it (huggingface_hub.utils.validate_repo_id)."""
_NEVER_IN_REVISION = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/]|[./]$|^@$|(?:^|/)\.|\.lock(?=/|$)")
"""As git has it (`git help check-ref-format`). It keeps revisions within the directory that their notes lie in, too."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TOKEN = re.compile(r"(?:hf|api_org)_[A-Za-z0-9]{16}")
"""What tokens of the hub begin with."""


def is_repository(text: str) -> bool:
    """Say whether a repository of the hub can be called so."""
    return _REPO.fullmatch(text) is not None and _NEVER_IN_REPO.search(text) is None


def revision_error(text: str) -> str:
    """Return why nothing of a repository can be called so, as one sentence, or nothing where it can."""
    if not text.strip():
        return "this is empty"
    found = _NEVER_IN_REVISION.search(text)
    return f"{text!r} is no branch, tag or commit: git has no {found[0]!r} there" if found else ""


def variable_error(text: str) -> str:
    """Return why no variable can be called so, as one sentence, or nothing where one can. It never repeats the text.

    A token would do as a name, but nobody calls a variable so, and whoever writes one there has given it away.
    """
    if not text.strip():
        return "this is empty"
    if _VARIABLE.fullmatch(text) and not TOKEN.match(text):
        return ""
    return "this is not the name of a variable; a token itself belongs into a variable, and its name here"


def as_asked_for(revision: str) -> str:
    """Return a revision as the hub knows it: a commit, which people may write in capitals, in lower case."""
    lower = revision.lower()
    return lower if COMMIT.fullmatch(lower) else revision


class Hub(Record):
    """A repository of the Hugging Face Hub, or of whatever HF_ENDPOINT names."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    repo: str
    """`org/name`, got by huggingface_hub into the cache that all programs share."""
    revision: str = "main"
    """A branch, a tag or a commit of 40 digits. `envspec models pin` writes the commit that a branch is at."""
    include: tuple[str, ...] = ()
    """Patterns of the files to get, such as "*.safetensors". Default: all."""
    exclude: tuple[str, ...] = ()
    """Patterns of files to leave out."""
    tokenizer_only: bool = False
    """Leave out the weights: for what needs a tokenizer and a config alone, such as a mocker or a router."""
    token_env: str = "HF_TOKEN"  # noqa: S105  a name, no secret
    """The variable that holds the token for gated and private repositories."""

    def __post_init__(self) -> None:
        if problem := revision_error(self.revision):
            message = f"revision: {problem}"
            raise ValueError(message)
        if problem := variable_error(self.token_env):
            message = f"token_env: {problem}"
            raise ValueError(message)
        object.__setattr__(self, "revision", as_asked_for(self.revision))

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit."""
        return COMMIT.fullmatch(self.revision) is not None
