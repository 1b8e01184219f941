"""Descriptions of the keys of the file, for those who print them: the schema and the reference page.

They stand in the source under each field. Pydantic could collect them as the classes are made, but it reads every
source file to do so, which doubles the start of commands that only want to check a file.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

from envspec.spec.base import Exact, Spec


def described_schema(model: type[Spec]) -> dict[str, Any]:
    """Return a class's JSON Schema, with the descriptions that stand under each field."""
    _describe()
    return model.model_json_schema()


@cache
def _describe() -> None:
    """Give every field of the file format its description, once in a process."""
    Exact.described = True
    for spec in _below(Spec):
        texts = {name: text for source in (*spec.fields_of, spec) for name, text in _texts_below_fields(source).items()}
        for name, field in spec.model_fields.items():
            field.description = field.description or texts.get(name)
        spec.model_rebuild(force=True)


def _below(spec: type[Spec]) -> Iterator[type[Spec]]:
    """Yield subclasses in the order of their making, so that a class comes after those that its fields hold."""
    for subclass in spec.__subclasses__():
        yield subclass
        yield from _below(subclass)


def _texts_below_fields(spec: type) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(spec))
    except OSError:  # made by create_model, which is given its descriptions
        return {}
    body = ast.parse(source).body[0]
    texts = {}
    for field, text in pairwise(body.body if isinstance(body, ast.ClassDef) else ()):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                texts[name] = inspect.cleandoc(said)
    return texts
