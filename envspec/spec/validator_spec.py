"""Validators and actions as items of a list: a mapping with exactly one key, the validator's.

Built from the literal table of `envspec.health`, whose dataclasses carry fields, types and descriptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import ConfigDict, Field, create_model, model_validator

from envspec.health import ACTIONS, VALIDATORS
from envspec.spec.base import Late, Spec, is_extension


class OneOf(Spec):
    """A mapping with exactly one key."""

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, data: Any) -> Any:
        kinds = ", ".join(cls.model_fields)
        if not isinstance(data, dict):
            message = f"an item is a mapping with one key, which is one of {kinds}"
            raise ValueError(message)  # noqa: TRY004  pydantic turns only ValueError into a finding
        written = [key for key in data if not is_extension(str(key))]
        if len(written) != 1:
            found = " and ".join(written) or "nothing"
            message = f"an item has exactly one key, which is one of {kinds}; here is {found}"
            raise ValueError(message)
        if written[0] in cls.model_fields and data[written[0]] is None:
            message = f"{written[0]} is null, and must be a mapping of its fields"
            raise ValueError(message)
        return data

    @property
    def kind(self) -> str:
        """The key that is written."""
        return next(iter(self.model_fields_set))

    @property
    def validator(self) -> Any:
        """The dataclass of `envspec.health`, with its fields checked."""
        return getattr(self, self.kind)


def _one_of(name: str, doc: str, kinds: Iterable[str]) -> type[OneOf]:
    fields: dict[str, Any] = {
        kind: (
            Annotated[VALIDATORS[kind], Late] | None,
            Field(default=None, description=(VALIDATORS[kind].__doc__ or "").split("\n")[0]),
        )
        for kind in kinds
    }
    model = create_model(name, __base__=OneOf, __module__=__name__, __doc__=doc, **fields)
    model.model_config = ConfigDict(
        **{**model.model_config, "json_schema_extra": {"minProperties": 1, "maxProperties": 1}}
    )
    return model


ValidatorSpec = _one_of("ValidatorSpec", "One question whose answer says whether something is healthy.", VALIDATORS)
ActionSpec = _one_of("ActionSpec", "Something done once: a validator whose answer decides about the start.", ACTIONS)
