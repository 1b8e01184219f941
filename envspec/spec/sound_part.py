"""What is left of a value without the keys that are wrong: it is judged all the same, so that all is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)


def sound_part(model: type[M], data: Any, depth: int = 1) -> tuple[M | None, frozenset[str]]:
    """Return `data` as a `model` without its wrong keys, and these; None where what is left is no `model` either.

    `depth` says where such keys stand: 1 for those of `data` itself, 2 for those of the mappings in it. Nothing is
    noted: whoever has the whole validated tells what is wrong.
    """
    try:
        return model.model_validate(data), frozenset()
    except ValidationError as error:
        wrong = {tuple(map(str, item["loc"][:depth])) for item in error.errors(include_url=False)}
    keys = frozenset(path[-1] for path in wrong if path)
    try:
        return model.model_validate(_without(wrong, data, ())), keys
    except ValidationError:
        return None, keys


def _without(wrong: set[tuple[str, ...]], data: Any, above: tuple[str, ...]) -> Any:
    if not isinstance(data, Mapping):
        return data
    paths = {key: (*above, str(key)) for key in data}
    return {key: _without(wrong, value, paths[key]) for key, value in data.items() if paths[key] not in wrong}
