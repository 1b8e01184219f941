"""What the file may say of a model of the hub. Pydantic reads fields and docstrings, without being imported here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A revision that is a commit, and so means the same for ever."""


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A repository of the Hugging Face Hub, or of whatever HF_ENDPOINT names."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "use_attribute_docstrings": True}

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

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit."""
        return COMMIT.fullmatch(self.revision) is not None
