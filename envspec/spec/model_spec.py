"""Models as the file declares them: exactly one source, whose keys are the fields of its dataclass.

Built from the literal table of `envspec.models`. A source whose dataclass has a field of the source's own name has its
keys beside that one (`repo: org/name`, `revision: main`); any other is a mapping (`synthetic: {architecture: qwen3}`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_origin, get_type_hints

from pydantic import Field, create_model, field_validator

from envspec.models import SOURCES
from envspec.models.hub.options import as_asked_for, is_repository, revision_error, variable_error
from envspec.spec.base import Exact, Spec


@cache
def is_nested(source: str) -> bool:
    """Say whether what a source takes is a mapping under its name, and not keys beside it."""
    return source not in {field.name for field in fields(SOURCES[source].options)}


@cache
def owners() -> dict[str, str]:
    """Return which source a key of a model belongs to; keys that go with every source are not in it."""
    beside = [source for source in SOURCES if not is_nested(source)]
    flat = {field.name: source for source in beside for field in fields(SOURCES[source].options)}
    return {**flat, **{source: source for source in SOURCES}}


def _keys_of(source: str) -> Iterator[tuple[str, Any]]:
    kind = SOURCES[source].options
    if is_nested(source):
        said = (kind.__doc__ or "").split("\n")[0]
        yield source, (Annotated[kind, Exact] | None, Field(default=None, description=said))
        return
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint, default = hints[field.name], field.default
        if default is MISSING:  # what the source needs, yet not every model
            hint, default = hint | None, None
        # A list of YAML is a list, and what holds it a tuple.
        yield field.name, (hint, Field(default=default, strict=False if get_origin(hint) is tuple else None))


if TYPE_CHECKING:
    Sources = Spec
else:
    keys = {key: value for source in SOURCES for key, value in _keys_of(source)}
    Sources = create_model("Sources", __base__=Spec, __module__=__name__, **keys)


class ModelSpec(Sources):
    """The weights and tokenizer of an LLM. It takes exactly one of `repo`, `path` and `synthetic`."""

    fields_of: ClassVar = tuple(SOURCES[source].options for source in SOURCES if not is_nested(source))

    name: str | None = None
    """The name to serve it under. Default: the repository, else the key."""
    preload: bool = True
    """Get the files right away, beside the start of services that need none of them; `false` gets them when the first
    service needs them."""
    warm: Literal["page-cache"] | None = None
    """`page-cache` reads the weights into memory ahead of the engine, as soon as they are there and as far as memory
    is free."""

    @field_validator("repo", check_fields=False)
    @classmethod
    def _is_repository(cls, repo: str) -> str:
        if is_repository(repo):
            return repo
        message = f"{repo!r} is not a repository of the hub, such as org/name"
        raise ValueError(message)

    @field_validator("revision", check_fields=False)
    @classmethod
    def _is_revision(cls, revision: str) -> str:
        if problem := revision_error(revision):
            raise ValueError(problem)
        return as_asked_for(revision)

    @field_validator("token_env", check_fields=False)
    @classmethod
    def _is_variable(cls, name: str) -> str:
        if problem := variable_error(name):
            raise ValueError(problem)
        return name

    @field_validator("name", "path", check_fields=False)
    @classmethod
    def _says_something(cls, text: str | None) -> str | None:
        if text is None or text.strip():
            return text
        message = "this is empty"
        raise ValueError(message)

    def options(self, source: str) -> dict[str, Any]:
        """Return everything that the source's dataclass takes, defaults included."""
        kind = SOURCES[source].options
        if is_nested(source):
            return asdict(getattr(self, source))
        return {field.name: getattr(self, field.name) for field in fields(kind)}
